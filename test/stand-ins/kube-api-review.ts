import type { Access } from "./kube-api-rbac.ts";

const attributeNames = ["", "namespace", "verb", "group", "version", "resource", "subresource", "name"];

/** Length-delimited fields of one protobuf message; the messages read here have no others that matter. */
function* fields(bytes: Buffer): Generator<readonly [number, Buffer]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < bytes.length) {
    const tag = varint();
    if ((tag & 7) === 0) varint();
    else if ((tag & 7) === 2) {
      const length = varint();
      yield [tag >> 3, bytes.subarray(at, at + length)];
      at += length;
    } else return;
  }
}

function field(bytes: Buffer, wanted: number): Buffer {
  for (const [number, value] of fields(bytes)) if (number === wanted) return value;
  return Buffer.alloc(0);
}

/** What a SelfSubjectAccessReview asks, in JSON or (kubectl 1.33) in Kubernetes' protobuf envelope. */
export function readReview(body: Buffer): Access {
  const magic = Buffer.from("k8s\0");
  let attributes: Partial<Record<string, string>>;
  if (body.subarray(0, 4).equals(magic)) {
    const spec = field(field(body.subarray(4), 2), 2);
    attributes = Object.fromEntries([...fields(field(spec, 1))].map(([number, value]) => [attributeNames[number] ?? "", value.toString("utf8")]));
  } else {
    const review = JSON.parse(body.toString("utf8")) as { spec?: { resourceAttributes?: Record<string, string> } };
    attributes = review.spec?.resourceAttributes ?? {};
  }
  const { verb = "", resource = "", subresource = "", namespace = "", name = "", group = "" } = attributes;
  return { verb, resource: subresource === "" ? resource : `${resource}/${subresource}`, namespace, group, name: name === "" ? undefined : name };
}
