/** package.json's, put in by build.ts. */
declare const VERSION_BUILT: string | undefined;

/** The version of this program. */
export const VERSION = typeof VERSION_BUILT === "string" ? VERSION_BUILT : "0.0.0";
