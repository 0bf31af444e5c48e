/**
 * Puts flags that stand before the command's name behind the command: `tctl --data-dir=/x get roles` is `tctl get roles --data-dir=/x`.
 * `leading` names them; `true`: a value follows.
 */
export function hoistFlags(argv: readonly string[], leading: Readonly<Record<string, boolean>>): readonly string[] {
  let at = 0;
  while (at < argv.length) {
    const word = argv[at] ?? "";
    const name = word.split("=", 1)[0] ?? "";
    const takesValue = Object.hasOwn(leading, name) ? leading[name] : undefined;
    if (takesValue === undefined) break;
    at += takesValue && !word.includes("=") ? 2 : 1;
  }
  const moved = argv.slice(0, at);
  const rest = argv.slice(at);
  const end = rest.indexOf("--");
  return end < 0 ? [...rest, ...moved] : [...rest.slice(0, end), ...moved, ...rest.slice(end)];
}
