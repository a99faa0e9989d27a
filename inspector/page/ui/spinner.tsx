/** Something is on its way. */
export function Spinner({ label }: { readonly label?: string }) {
  if (label === undefined) return <span class="spinner" aria-hidden />;
  return (
    <span class="loading" role="status">
      <span class="spinner" aria-hidden />
      {label}
    </span>
  );
}
