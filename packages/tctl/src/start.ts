import { keepCompiled } from "@gatehouse/core/client/lean";

keepCompiled(process.env);
import("./main.ts")
  .then(({ main }) => main(process.argv.slice(2)))
  .catch((error: unknown) => {
    // Not even the report could be made.
    console.error(error);
    process.exitCode = 1;
  });
