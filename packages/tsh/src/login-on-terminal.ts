import { GatehouseError, escapeLine, systemClock, systemRandom } from "@gatehouse/core/base";
import { clientHome, embedsEntries, login, parseProxyAddress, profileName, readProfile } from "@gatehouse/core/client";
import { deviceOutput, devicePrompter } from "@gatehouse/core/client/command";
import { openTerminalDevice } from "@gatehouse/core/client/terminal";
import { readyKeystore } from "./memory-keystore.ts";
import { runningProgram } from "./program.ts";

/** Logs in again as the profile says, speaking on the terminal device alone: standard output is kubectl's. */
export async function loginOnTerminal(proxy: string, auth: string | undefined): Promise<void> {
  const profile = await readProfile(clientHome(process.env), profileName(parseProxyAddress(proxy)));
  await readyKeystore(profile?.keystore);
  const device = openTerminalDevice();
  if (!device) throw new GatehouseError("unauthenticated", `not logged in to ${proxy}, and there is no terminal to log in on`);
  try {
    const prompter = devicePrompter(device);
    await login(
      {
        proxy,
        auth,
        user: auth === "local" ? profile?.user : undefined,
        password: (user) => prompter.password(`Password of ${escapeLine(user)}:`),
        otp: (question) => prompter.password(question),
        mfa: undefined,
        ttl: undefined,
        caPin: undefined,
        browser: undefined,
        bindAddress: process.env["TELEPORT_LOGIN_BIND_ADDR"],
        keystore: profile?.keystore,
        embed: await embedsEntries(process.env, parseProxyAddress(proxy).text),
      },
      { env: process.env, clock: systemClock, random: systemRandom, output: deviceOutput(device), prompter, program: runningProgram() },
    );
  } finally {
    device.close();
  }
}
