import { newMachine, type Machine } from "./machine.ts";
import { createHostRole } from "./ssh-hosts.ts";
import { createWorld, type World } from "./world.ts";

/** A gateway that records ana's SSH sessions on their way, and passes bo's end to end. `more`: roles of other teams, which the caller makes. */
export async function createTwoWayWorld(more: Readonly<Record<string, readonly string[]>> = {}): Promise<World> {
  const teams: Readonly<Record<string, readonly string[]>> = { developers: ["recorded"], viewers: ["unrecorded"], ...more };
  const world = await createWorld({
    config: (config) => (config.proxy_service["ssh_listen_addr"] = "127.0.0.1:0"),
    connector: { teams_to_logins: [], teams_to_roles: Object.entries(teams).map(([team, roles]) => ({ organization: "octocats", team, roles })) },
  });
  await createHostRole(world, "recorded", { ssh_recording: "proxy" });
  await createHostRole(world, "unrecorded", { ssh_recording: "off" });
  return world;
}

/** Machines of these people, who are logged in, with OpenSSH's configuration as tsh writes it. */
export async function machinesOf(world: World, people: readonly string[]): Promise<ReadonlyMap<string, Machine>> {
  const machines = new Map<string, Machine>();
  for (const person of people) {
    const machine = await newMachine(world, person);
    for (const done of [await machine.logIn(), await machine.tsh(["config", "--write"])]) {
      if (done.code !== 0) throw new Error(`${person}: ${done.stderr}`);
    }
    machines.set(person, machine);
  }
  return machines;
}
