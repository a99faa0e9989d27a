export async function pickFile(): Promise<void> {}
