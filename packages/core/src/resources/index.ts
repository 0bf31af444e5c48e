/** Kinds of resources: schemas, defaults, YAML and JSON in and out, references (`kind/name`), presets, the small languages inside roles. */
export type * from "./types.ts";
export { formatRef, parseRef } from "./ref.ts";
export { parseResource, parseResources } from "./parse.ts";
export type { ParseOptions } from "./parse.ts";
export { formatResources, locate, resourceToJson } from "./format.ts";
export type { ResourceFormat } from "./format.ts";
export { formatPath } from "./path.ts";
export type { Path } from "./path.ts";
export { hiddenName, redact } from "./redact.ts";
export { presetRoles } from "./presets.ts";
export { parseTemplate } from "./template.ts";
export { compilePattern } from "./pattern.ts";
export type { Pattern, Reading } from "./pattern.ts";
export { parseAction, parseCondition } from "./where.ts";
export type { Action, Condition, Operand } from "./where.ts";
export { isKubernetesGroup, isUnixLogin } from "./schema/values.ts";
export { nameProblem } from "./schema/metadata.ts";
export { implicitRoleName, ruleKinds, ruleVerbs, systemRoles } from "./schema/kinds.ts";
