import { z } from "zod";

/** GitHub logins, those of managed enterprise accounts included; nothing that reads as another kind of name (`system:…`). */
const login = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/);
const name = z.string().min(1).max(256);
const id = z.int().positive();

/** The token endpoint answers 200 for errors too. */
export const tokenAnswer = z.union([
  z.object({ error: z.string().min(1).max(256), error_description: z.string().max(4096).optional() }),
  z.object({ access_token: z.string().regex(/^[\x21-\x7e]{1,4096}$/), token_type: z.string().regex(/^bearer$/i) }),
]);

/** `GET /user`. */
export const userAnswer = z.object({ login, id });

/** One page of `GET /user/teams`. */
export const teamsAnswer = z.array(z.object({ id, slug: name, organization: z.object({ login: name, id }) })).max(1000);

/** One page of `GET /user/memberships/orgs`. */
export const membershipsAnswer = z.array(z.object({ state: z.string().max(64), organization: z.object({ login: name, id }) })).max(1000);

/** What GitHub's API says when it refuses. */
export const errorAnswer = z.object({ message: z.string().max(4096) });
