import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { attributeOf, elementsOf, readXml, textOf, type XmlElement } from "./index.ts";

const limits = { depth: 8, elements: 50, attributes: 8, comments: "refuse" } as const;
const read = (text: string): XmlElement => readXml(text, limits);

describe("plain XML", () => {
  it("is read with its names resolved", () => {
    const root = read('<?xml version="1.0" encoding="utf-8"?>\r\n<a xmlns="urn:a" xmlns:b="urn:b" x="1&amp;2" b:y=\'&#x41;\n&lt;\'>one<b:c/>two &gt; <d xmlns="">three</d></a>\n');
    expect(root).toEqual({
      prefix: "",
      namespace: "urn:a",
      name: "a",
      attributes: [
        { prefix: "", namespace: "", name: "x", value: "1&2" },
        { prefix: "b", namespace: "urn:b", name: "y", value: "A <" },
      ],
      children: ["one", { prefix: "b", namespace: "urn:b", name: "c", attributes: [], children: [] }, "two > ", { prefix: "", namespace: "", name: "d", attributes: [], children: ["three"] }],
    });
    expect(textOf(root)).toBe("onetwo > ");
    expect(elementsOf(root).map(({ name }) => name)).toEqual(["c", "d"]);
    expect(attributeOf(root, "y")).toBeUndefined();
  });

  it("keeps text around comments in one piece, where comments are skipped", () => {
    expect(readXml("<!-- one --><?x y?><a>b<!-- two -->c</a>", { ...limits, comments: "skip" }).children).toEqual(["bc"]);
  });

  it.each([
    ["", "no element"],
    ["<a>", "ends before"],
    ["<a></b>", 'does not close "a"'],
    ["</a>", "closes an element that is not open"],
    ["<a></a></a>", "closes an element that is not open"],
    ["<a/><b/>", "more than one root"],
    ["<a/>x", "text outside its root"],
    ["<a b=c/>", "without quotes"],
    ["<a b/>", "without a value"],
    ['<a b="1"c="2"/>', "malformed element"],
    ['<a b="<"/>', '"<" in the attribute'],
    ["<a b='1' b='2'/>", "twice in one element"],
    ["<a>]]></a>", '"]]>" in text'],
    ["<a>&nbsp;</a>", "entity"],
    ["<a>&</a>", "entity"],
    ["<a>&#0;</a>", "character that XML does not allow"],
    ["<a>&#xD800;</a>", "character that XML does not allow"],
    ["<a>&#x110000;</a>", "entity"],
    ["<a>\u0001</a>", "character that XML does not allow"],
    ["<!DOCTYPE a><a/>", "DOCTYPE"],
    ["<a><![CDATA[b]]></a>", "CDATA"],
    ["<a><!-- b --></a>", "comment"],
    ["<a><?b?></a>", "processing instruction"],
    [' <?xml version="1.0"?><a/>', "processing instruction"],
    ['<?xml version="1.1"?><a/>', "processing instruction"],
    ["<b:a/>", 'prefix "b"'],
    ['<a xmlns="b"/>', "absolute address"],
    ['<a xmlns:b=""/>', "absolute address"],
    ['<a xmlns:xmlns="urn:b"/>', "of XML's own"],
    ['<a xmlns:b="http://www.w3.org/XML/1998/namespace"/>', "of XML's own"],
    ["<a:b:c xmlns:a='urn:a'/>", "malformed name"],
    ["<ä/>", "malformed name"],
    ["< a/>", "malformed name"],
    [`${"<a>".repeat(9)}${"</a>".repeat(9)}`, "more than 8 deep"],
    [`<a>${"<b/>".repeat(50)}</a>`, "more than 50 elements"],
  ])("%j is none that is read: %s", (text, problem) => {
    expect(() => read(text)).toThrow(problem);
  });

  it("is read back as it was written", () => {
    const escape = (text: string): string => text.replaceAll(/[&<>"\r\n\t]/g, (char) => `&#${String(char.charCodeAt(0))};`);
    const content = fc.string({ unit: fc.constantFrom("a", "é", "😀", "&", "<", ">", '"', "\n", "\r", "\t", " ", "]"), maxLength: 12 });
    fc.assert(
      fc.property(content, content, (value, text) => {
        const root = read(`<a b="${escape(value)}">${escape(text)}</a>`);
        expect([attributeOf(root, "b"), textOf(root)]).toEqual([value, text]);
      }),
    );
  });

  it("fails for anything else with one kind of error, and never hangs", () => {
    const piece = fc.constantFrom("<", ">", "/", "</a>", "<a>", "<a ", "b='", "'", '"', "&amp;", "&", "xmlns:x='urn:x'", "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "x", " ", "=");
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 4 })), { maxLength: 30 }), (pieces) => {
        try {
          read(pieces.join(""));
        } catch (error) {
          expect(error).toMatchObject({ name: "GatehouseError", code: "bad_parameter" });
        }
      }),
      { numRuns: 2000 },
    );
  });
});
