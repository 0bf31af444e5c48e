import { spawn } from "node:child_process";
import { once } from "node:events";
import { GatehouseError } from "@gatehouse/core/base";

/** A program that shows a note; the note's text is never part of a script. */
export interface DesktopCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
}

const appleScript = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run";

/** A toast in the name of PowerShell, which is registered for it (Windows.UI.Notifications; the id is that of its shortcut). */
const powerShell = `$ErrorActionPreference = 'Stop'
$null = [Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime]
$xml = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent([Windows.UI.Notifications.ToastTemplateType]::ToastText02)
$texts = $xml.GetElementsByTagName('text')
$null = $texts.Item(0).AppendChild($xml.CreateTextNode($env:GATEHOUSE_TITLE))
$null = $texts.Item(1).AppendChild($xml.CreateTextNode($env:GATEHOUSE_BODY))
$id = '{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe'
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($id).Show([Windows.UI.Notifications.ToastNotification]::new($xml))
`;

/** The command that shows a note on this system; undefined where it is shown without one. */
export function desktopCommand(platform: NodeJS.Platform, { title, body }: { readonly title: string; readonly body: string }): DesktopCommand | undefined {
  if (platform === "darwin") return { program: "/usr/bin/osascript", args: ["-e", appleScript, title, body], env: {} };
  if (platform === "win32") {
    return { program: "powershell.exe", args: ["-NoProfile", "-NonInteractive", "-EncodedCommand", Buffer.from(powerShell, "utf16le").toString("base64")], env: { GATEHOUSE_TITLE: title, GATEHOUSE_BODY: body } };
  }
  return undefined;
}

/** ms that such a program may take. */
const limit = 15_000;

/** Runs it without a window or streams. Throws `internal` where it fails. */
export async function runQuietly({ program, args, env }: DesktopCommand): Promise<void> {
  const child = spawn(program, args, { stdio: "ignore", windowsHide: true, timeout: limit, env: { ...process.env, ...env } });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new GatehouseError("internal", `${program} ended with ${code === null ? "a signal" : `code ${code}`}`);
}
