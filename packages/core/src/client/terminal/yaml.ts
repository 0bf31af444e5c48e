import { Document, Scalar, visit } from "yaml";
import { escapeInQuotes, escapeText } from "../../base/index.ts";

/** YAML without folded lines, safe for a terminal. In a file of its own: most commands never load the library. */
export function toYaml(value: unknown): string {
  const document = new Document(value);
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === "string" && escapeText(node.value) !== node.value) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return escapeInQuotes(document.toString({ lineWidth: 0 }));
}
