/** Where checkpoints go that root on this gateway cannot take back. Files that hold secrets are read when they are used. */
export type WitnessOptions =
  | {
      readonly type: "file";
      /** Appended to; made (0640) if missing. */
      readonly path: string;
    }
  | {
      readonly type: "syslog";
      /** `udp://host:port`, `tcp://host:port` or `unix:///path` of a stream socket. */
      readonly address: string;
    }
  | {
      readonly type: "gateway";
      /** `https://host:port` of the other gateway's web listener. */
      readonly url: string;
      /** PEM of the authorities that may vouch for it, and no others. */
      readonly caFile: string;
      /** What this gateway is called there, and the file with the token for it. */
      readonly name: string;
      readonly tokenFile: string;
    }
  | {
      readonly type: "s3";
      /** `https://host[:port]`; path-style addresses are used. */
      readonly endpoint: string;
      readonly region: string;
      readonly bucket: string;
      readonly prefix: string;
      readonly accessKeyId: string;
      readonly secretKeyFile: string;
      /** ms for which the bucket keeps each object from everyone, root of the account included; 0: no lock is asked for. */
      readonly lockMs: number;
      readonly lockMode: "COMPLIANCE" | "GOVERNANCE";
      /** PEM; absent: the system's authorities. */
      readonly caFile?: string | undefined;
    };

/** A way to a witness. One call at a time. */
export interface WitnessWriter {
  /** As it stands in status, metrics and logs; no secret in it. */
  readonly name: string;
  /** Hands over one checkpoint, the log's own line. Throws where the witness did not take it. */
  send(line: string): Promise<void>;
  close(): Promise<void>;
}

/** How a witness keeps up. */
export interface WitnessStatus {
  readonly name: string;
  /** Checkpoints that it does not have yet. */
  readonly waiting: number;
  /** Since the oldest of them was signed, ms; 0 for none. */
  readonly lag: number;
  /** Given up because there were too many. */
  readonly dropped: number;
  /** Why it did not take the last one, if so. */
  readonly problem: string | undefined;
}
