const minute = 60_000;

/** Certificates' life: when they were issued and end, ms since the epoch. */
export interface Life {
  readonly issued: number;
  readonly expires: number;
}

/**
 * When a login is renewed, ms since the epoch: from half of its life on, spread over a tenth of it (`fraction` from 0 to 1) so that not all of a company ask at once, and at the
 * latest ten minutes before its end, or a quarter of its life where that is less.
 */
export function renewalTime({ issued, expires }: Life, fraction: number): number {
  const life = expires - issued;
  return Math.floor(Math.min(issued + life / 2 + (fraction * life) / 10, expires - Math.min(10 * minute, life / 4)));
}

/** ms until the next try after so many that failed in a row: 5 s, doubled each time, five minutes at most, of which a random half. */
export function retryDelay(failures: number, fraction: number): number {
  const most = Math.min(5000 * 2 ** (failures - 1), 5 * minute);
  return Math.floor(most / 2 + (fraction * most) / 2);
}

/**
 * ms until a gateway that refused is asked again: what stood in the way (a lock, a role) may go at any time. Half an hour at most, a third of the `left` ms of the login where that is
 * less, so that it is asked in time before the end, and not below ten seconds; of which a random half.
 */
export function refusedDelay(left: number, fraction: number): number {
  const most = Math.max(10_000, Math.min(30 * minute, left / 3));
  return Math.floor(most / 2 + (fraction * most) / 2);
}

/** When the person is told that a login will end, ms since the epoch: ten minutes before, and not before half of a short life. */
export const warningTime = ({ issued, expires }: Life): number => Math.max(expires - 10 * minute, issued + Math.floor((expires - issued) / 2));
