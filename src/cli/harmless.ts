/**
 * A text of somebody else's, fit for a terminal: control characters, line breaks, and what turns the direction of writing
 * become question marks.
 */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, "?");
}
