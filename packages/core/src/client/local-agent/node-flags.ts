/** MiB for what V8 has just made: with its usual 16 the agent stays 6 MB larger for good after a burst of requests. */
const smallHeap = "--max-semi-space-size=1";

/** What Node itself is given where it runs the agent, by whatever starts it: a small heap, and no debugger by a signal where Node can be told so. */
export const agentNodeFlags = (): readonly string[] => [smallHeap, ...(process.allowedNodeEnvironmentFlags.has("--disable-sigusr1") ? ["--disable-sigusr1"] : [])];
