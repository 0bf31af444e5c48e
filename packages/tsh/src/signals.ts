/** Has this listener alone hear a signal from now on. One that has come and was not told yet is told to it: where nobody listens for a moment in between, it is lost. */
export function listenAlone(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): void {
  const before = process.listeners(signal);
  process.on(signal, listener);
  for (const each of before) process.removeListener(signal, each);
}
