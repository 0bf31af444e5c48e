import { describe, expect, it } from "vitest";
import { whatRuns } from "./what-runs.ts";

const exec = (command: string, forced?: string) => whatRuns({ kind: "exec", command }, forced, false);

describe("what a request starts", () => {
  it.each(["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server -l INFO", "/usr/libexec/sftp-server", "/usr/lib/ssh/sftp-server"])("is SFTP for %s", (command) => {
    expect(exec(command)).toMatchObject({ kind: "sftp", files: { protocol: "sftp" } });
  });

  // Whatever it speaks would be in no recording.
  it.each(["/home/ana/sftp-server", "/tmp/x/sftp-server", "/usr/lib/../../tmp/sftp-server", "internal-sftp", "/home/ana/bin/scp -t x"])("is a command for %s, which may be anybody's program", (command) => {
    expect(exec(command)).toEqual({ kind: "exec", command: [command] });
  });

  it("is what a role forces, whatever was asked for", () => {
    expect(exec("sh", "internal-sftp")).toMatchObject({ kind: "sftp", command: ["internal-sftp"], files: { protocol: "sftp" } });
    expect(whatRuns({ kind: "subsystem", name: "sftp" }, "/opt/audit.sh", false)).toEqual({ kind: "exec", command: ["/opt/audit.sh"], subsystem: "sftp" });
    expect(whatRuns({ kind: "subsystem", name: "sftp" }, undefined, true)).toEqual({ kind: "subsystem", command: ["sftp"], subsystem: "sftp" });
  });
});
