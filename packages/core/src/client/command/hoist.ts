/** Flags that stand before the command's name, and the words from there on. `leading` names them; `true`: a value follows. */
export function splitLeading(argv: readonly string[], leading: Readonly<Record<string, boolean>>): { readonly moved: readonly string[]; readonly rest: readonly string[] } {
  let at = 0;
  while (at < argv.length) {
    const word = argv[at] ?? "";
    const name = word.split("=", 1)[0] ?? "";
    const takesValue = Object.hasOwn(leading, name) ? leading[name] : undefined;
    if (takesValue === undefined) break;
    at += takesValue && !word.includes("=") ? 2 : 1;
  }
  return { moved: argv.slice(0, at), rest: argv.slice(at) };
}

/** Puts flags that stand before the command's name behind the command: `tctl --data-dir=/x get roles` is `tctl get roles --data-dir=/x`. */
export function hoistFlags(argv: readonly string[], leading: Readonly<Record<string, boolean>>): readonly string[] {
  const { moved, rest } = splitLeading(argv, leading);
  const end = rest.indexOf("--");
  return end < 0 ? [...rest, ...moved] : [...rest.slice(0, end), ...moved, ...rest.slice(end)];
}
