import type { BuildOptions } from "esbuild";

type Command = "tsh" | "tctl";
export declare const commands: readonly Command[];
export declare function splitOptions(root: string, entryPoints: readonly string[], outdir: string): BuildOptions & { readonly metafile: true };
export declare function mainOptions(root: string, name: Command, outdir?: string): BuildOptions & { readonly metafile: true };
export declare function startOptions(root: string, name: Command, outdir?: string): BuildOptions & { readonly metafile: true };
export declare function leanOptions(root: string, name: "tsh", outdir?: string): BuildOptions & { readonly metafile: true };
export declare function leanOptions(root: string, name: Command, outdir?: string): (BuildOptions & { readonly metafile: true }) | undefined;
export declare function outFolder(name: Command): string;
