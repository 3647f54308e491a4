/**
 * A text of somebody else's, fit for a terminal: control characters, line breaks, and what turns the direction of writing
 * become question marks.
 */
export function harmless(text: string): string {
  return isHarmless(text) ? text : text.replace(new RegExp(HARM, "gu"), "?");
}

const HARM = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

/** Whether a text has nothing of that. */
export function isHarmless(text: string): boolean {
  return !HARM.test(text);
}
