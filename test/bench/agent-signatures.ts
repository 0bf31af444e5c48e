import { randomBytes } from "node:crypto";
import { parseSshCertificate, sshVerify } from "@gatehouse/core/formats";
import { agentClient } from "../../packages/agent/src/ssh/testing.ts";
import type { TestClient } from "../../packages/agent/src/ssh/testing.ts";
import { table, verdict } from "./table.ts";
import type { Verdict } from "./table.ts";

/** How long each measurement takes, ms, after a second that does not count. */
const span = 3000;
const connections = [1, 8];
/** About what OpenSSH has signed to log in. */
const signedSize = 700;

/** Signatures per second of the one certificate of an agent that runs, over the socket that ssh asks. */
export async function benchSignatures(path: string, print: (text: string) => void): Promise<readonly Verdict[]> {
  const rates: number[] = [];
  for (const count of connections) {
    const clients = await Promise.all(Array.from({ length: count }, () => agentClient(path)));
    rates.push(await rate(clients));
    for (const client of clients) client.end();
  }
  print(table(["signatures, ECDSA P-256, connections", "per second"], rates.map((each, index) => [String(connections[index]), each.toFixed(0)])));
  return rates.map((each, index) => verdict(`signatures of the agent over ${String(connections[index])} connection${connections[index] === 1 ? "" : "s"}`, each, "≥", 500, "per second"));
}

async function rate(clients: readonly TestClient[]): Promise<number> {
  const begin = performance.now() + 1000;
  const end = begin + span;
  let count = 0;
  await Promise.all(
    clients.map(async (client) => {
      const blob = await loginCertificate(client);
      const data = randomBytes(signedSize);
      for (let first = true; performance.now() < end; first = false) {
        const answer = await client.ask({ type: "sign", blob, data, flags: 0 });
        if (answer.type !== "signature") throw new Error(`the agent answered ${answer.type}`);
        if (first && !sshVerify(parseSshCertificate(blob).publicKey, data, answer.signature)) throw new Error("the agent's signature is wrong");
        const now = performance.now();
        if (now >= begin && now < end) count++;
      }
    }),
  );
  return count / (span / 1000);
}

/** Blob of the certificate that the agent holds. */
async function loginCertificate(client: TestClient): Promise<Buffer> {
  const answer = await client.ask({ type: "identities" });
  const [identity] = answer.type === "identities" ? answer.identities : [];
  if (identity === undefined) throw new Error("the agent holds no certificate");
  return Buffer.from(identity.blob);
}
