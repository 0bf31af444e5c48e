import { auditEvents } from "../audit/index.ts";
import { createAdminGet } from "./admin-get.ts";
import { createAdminPut } from "./admin-put.ts";
import { createAdminRemove } from "./admin-remove.ts";
import { bootstrap } from "./bootstrap.ts";
import { authorize, authorizeEver, authorizeSession, decide, decideEvent } from "./caller.ts";
import { createConsoleLogins } from "./console-login.ts";
import type { Context } from "./context.ts";
import { createGatekeeper } from "./gatekeeper.ts";
import { createHeadless, createSsoApprover } from "./headless/index.ts";
import { createInvites } from "./invites.ts";
import { createJoin } from "./join/index.ts";
import { createLocalLogin } from "./local-login.ts";
import { createLinks } from "./links.ts";
import { createLocalProof } from "./local-proof.ts";
import { createMfaAdmin } from "./mfa-admin.ts";
import { mfaHashes } from "./mfa/index.ts";
import { createHostJoins, createHostSign, createNodeDirectory, createRevocations } from "./nodes/index.ts";
import { createPasswords } from "./passwords.ts";
import { kinds } from "./records.ts";
import { createRenew } from "./renew/index.ts";
import { createSamlMetadata } from "./saml-metadata.ts";
import { createSharedKey } from "./shared-key.ts";
import { createSign } from "./sign.ts";
import { openSnapshot } from "./snapshot.ts";
import { createSsoFinish } from "./sso-finish.ts";
import { createSsoProviders } from "./sso-providers.ts";
import { createLoginCounter, createSsoBegin, createSsoStart } from "./sso-start.ts";
import { createSsoTest } from "./sso-test.ts";
import type { AuthOptions, AuthService, Identity } from "./types.ts";

/**
 * Opens the auth service of one gateway: preset roles where they are missing, the auth preference as the config file has it, and everything
 * that decisions need in memory.
 */
export async function openAuth(options: AuthOptions): Promise<AuthService> {
  const { store, authorities, audit, clock, random, logger, maxStaleness } = options;
  await bootstrap(store, options.preference);
  const passwords = await createPasswords(random, options.passwordCost, options.hashes?.password);
  const snapshot = await openSnapshot({ store, clock, logger });
  const providers = createSsoProviders(store, { clock, timeouts: options.providerTimeouts });
  const onApplied = options.onApplied ?? (() => ({ checked: 0, ended: 0 }));
  const kubeClusters = options.kubeClusters ?? (() => []);
  const context: Context = { store, authorities, audit, clock, random, logger, snapshot, passwords, providers, kubeClusters, onApplied, mfaHashes: options.hashes?.mfa ?? mfaHashes, sharedKey: createSharedKey(store, random), publicUrls: options.publicUrls ?? (() => []), gatewayNames: options.gatewayNames ?? (() => []) };
  const proof = createLocalProof(context);
  const count = createLoginCounter(context);
  const begin = createSsoBegin(context, count);
  const start = createSsoStart(context, begin);

  async function logout(identity: Identity): Promise<void> {
    await store.transact([{ op: "delete", kind: kinds.session, name: identity.sessionId }]);
    await snapshot.settled();
    await audit.emit({ ...auditEvents.sessionLogout, user: identity.username, session: identity.sessionId });
  }

  const gatekeeper = createGatekeeper({ snapshot, clock, maxStaleness });

  return {
    clusterName: authorities.clusterName,
    gatekeeper,
    nodes: createNodeDirectory(snapshot, authorities.clusterName),
    hosts: createHostJoins(context),
    revocations: createRevocations(context),
    logins: {
      ...createJoin(context),
      ...createLocalLogin(context, proof),
      ...start,
      ...createConsoleLogins(context, proof, { count, startSso: start.startSso }),
      ...createSsoFinish(context, createSsoApprover(context)),
      ...createSamlMetadata(context),
      ...createRenew(context, gatekeeper),
      logout,
    },
    headless: createHeadless(context, proof, begin),
    admin: {
      ...createAdminGet(context),
      ...createAdminPut(context),
      ...createAdminRemove(context),
      ...createSsoTest(context, count),
      ...createInvites(context),
      ...createSign(context),
      ...createHostSign(context),
      requireRule: (caller, kind, verb) => authorize(context, caller, kind, [verb]),
      requireEver: (caller, kind, verbs) => authorizeEver(context, caller, kind, verbs),
      explainRule: (caller, kind, verb) => decide(caller, kind, verb),
      explainEvent: decideEvent,
      explainSession: (caller, verb, session) => decide(caller, "session", verb, undefined, session),
      authorizeSession: (caller, verb, session) => authorizeSession(context, caller, verb, session),
    },
    links: createLinks(context, proof),
    mfa: createMfaAdmin(context),
    async close() {
      snapshot.close();
      await providers.close();
    },
  };
}
