import { main } from "../support/browser.ts";

process.exitCode = await main(process.argv.slice(2));
