/** Calls `read` now, and whenever the element is scrolled or gets another size. Gives what ends that. */
export function onScrolled(element: HTMLElement, read: () => void): () => void {
  read();
  const sizes = new ResizeObserver(read);
  sizes.observe(element);
  element.addEventListener('scroll', read, { passive: true });
  return () => {
    sizes.disconnect();
    element.removeEventListener('scroll', read);
  };
}
