/** Version of this release; the packages' own versions are checked against it by a test. */
export const version = "1.0.0";
