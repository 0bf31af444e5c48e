/** Names of a comma-separated list, each once. */
export const splitNames = (text: string | undefined): string[] => [...new Set((text ?? "").split(",").map((name) => name.trim()).filter((name) => name !== ""))];
