import { GatehouseError, escapeLine } from "@gatehouse/core/base";

/** Throws `usage` for an address that a shell could take for something else. */
function checkGateway(address: string): string {
  if (/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/.test(address)) return address;
  throw new GatehouseError("usage", `${escapeLine(address)} is no address of a gateway`, { hint: "write it as --gateway=HOST:PORT" });
}

/**
 * The line that lets a host join: it asks for the authority's certificate without trust, holds that against the pin, and from then on speaks TLS that the authority vouches for
 * (the server name is one that every gateway has, `api/names.ts`). Of several certificates it takes the one that the pin is of, and no other.
 */
export function joinCommand({ gateway, pin, name }: { readonly gateway: string; readonly pin: string; readonly name?: string | undefined }): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(pin)?.[1];
  if (hex === undefined) throw new GatehouseError("internal", "the gateway's pin is of no kind that is known here");
  const script = [
    "set -e",
    "umask 077",
    `g=${checkGateway(gateway)}`,
    "d=$(mktemp -d)",
    'trap "rm -rf $d" EXIT',
    'curl -qsSk "https://$g/gatehouse/v1/nodes/ca" -o $d/all',
    "openssl x509 -in $d/all -out $d/ca",
    `[ "$(openssl x509 -in $d/ca -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 | sed "s/.* //")" = ${hex} ] || { echo "gatehouse: $g is not the gateway of this pin: nothing was sent to it" >&2; exit 1; }`,
    'curl -qsSf --cacert $d/ca --connect-to "teleport.cluster.local:443:$g" https://teleport.cluster.local/gatehouse/v1/nodes/join.sh -o $d/join.sh',
    'sh $d/join.sh --gateway="$g" --ca=$d/ca "$@"',
  ];
  return `sh -c '${script.join("; ")}' gatehouse${name === undefined ? "" : ` --name=${name}`}`;
}
