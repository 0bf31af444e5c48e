import js from "@eslint/js";
import tseslint from "typescript-eslint";
import { rooms, serverRooms } from "./rooms.js";

/** One block per room: what it may not import. Doors are the only way in, and arrows go one way. */
const roomRules = Object.entries(rooms).map(([room, allowed]) => {
  const others = Object.keys(rooms).filter((other) => other !== room);
  const forbidden = others.filter((other) => !allowed.includes(other));
  const patterns = [
    ...forbidden.map((other) => ({
      regex: `^(\\.\\./)+${other}/`,
      message: `${room} must not import ${other} (see rooms.js)`,
    })),
    ...allowed.map((other) => ({
      // A folder in a room may have a door of its own, for those who must not load the whole room.
      regex: `^(\\.\\./)+${other}/(?!(?:[a-z-]+/)?index\\.ts$)`,
      message: `enter ${other} through its door, ${other}/index.ts`,
    })),
    { regex: "^@gatehouse/", message: "inside core, import rooms by relative path" },
  ];
  return {
    files: [`packages/core/src/${room}/**/*.ts`],
    rules: { "no-restricted-imports": ["error", { patterns }] },
  };
});

/** The verification of the log runs in a client command: it may enter nothing that a client may not. */
const verifyRules = {
  files: ["packages/core/src/audit/verify/**/*.ts"],
  ignores: ["**/*.test.ts"],
  rules: {
    "no-restricted-imports": ["error", { patterns: [{ regex: "^\\.\\./(?!\\.\\./(?:base|formats)/index\\.ts$)", message: "audit/verify stands on base and formats alone" }] }],
  },
};

/** Once bundled, a CommonJS package that is imported dynamically has no named exports: import a file of ours that imports it statically. */
const dynamicYaml = { selector: "ImportExpression[source.value='yaml']", message: "import yaml statically, in a file that is loaded when it is needed" };

/** Where standard input is a pipe, oclif takes it for a missing argument: a password, or a file that was meant as a file. */
const argumentRules = {
  files: ["packages/tsh/src/**/*.ts", "packages/tctl/src/**/*.ts"],
  rules: {
    "no-restricted-syntax": ["error", dynamicYaml, { selector: "CallExpression[callee.object.name='Args']:not(:has(Property[key.name='ignoreStdin']))", message: "arguments say ignoreStdin: true" }],
  },
};

const commandRules = {
  files: ["packages/agent/src/**/*.ts", "packages/tsh/src/**/*.ts", "packages/tctl/src/**/*.ts"],
  ignores: ["packages/tsh/src/gateway/**"],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: serverRooms.map((room) => ({
          // The verification of the log is a door of its own: pure, and run offline.
          regex: `^@gatehouse/core/${room}(?!/verify$)(?:/|$)`,
          message: `client commands never load server code (${room})`,
        })),
      },
    ],
  },
};

export default tseslint.config(
  { ignores: ["**/dist/**", "**/node_modules/**"] },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ["vitest.config.ts"] }, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-floating-promises": ["error", { ignoreVoid: false }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-unnecessary-condition": ["error", { allowConstantLoopConditions: true }],
      "@typescript-eslint/unbound-method": "off",
      "@typescript-eslint/prefer-promise-reject-errors": "off",
      "no-control-regex": "off",
      "no-restricted-syntax": ["error", dynamicYaml],
    },
  },
  {
    files: ["packages/core/src/**/*.ts", "packages/agent/src/**/*.ts"],
    ignores: ["**/*.test.ts", "packages/core/src/testing/**"],
    rules: {
      "no-console": "error",
      "no-restricted-properties": ["error", { object: "process", property: "exit", message: "core and agent never end the process" }],
    },
  },
  ...roomRules,
  verifyRules,
  commandRules,
  argumentRules,
  {
    files: ["**/*.test.ts", "test/**/*.ts"],
    rules: {
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-confusing-void-expression": "off",
    },
  },
  { files: ["packages/*/bin/*.js"], languageOptions: { sourceType: "commonjs", globals: { require: "readonly" } } },
  {
    files: ["**/*.js", "**/*.mjs"],
    languageOptions: {
      globals: { console: "readonly", process: "readonly", URL: "readonly", fetch: "readonly", Buffer: "readonly", setTimeout: "readonly", clearTimeout: "readonly", performance: "readonly" },
    },
  },
);
