/** What a 401 asks for: a scheme (in small letters) and its parameters. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+/;
const QUOTED = /^"((?:[^"\\]|\\.)*)"/;

/**
 * The challenges of a WWW-Authenticate header (RFC 9110, 11.6.1), several in one line as well. What cannot be read ends the
 * list: a header from outside is no error.
 */
export function parseChallenges(header: string): Challenge[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  let rest = header.slice(0, 16384);
  while (rest !== "") {
    rest = rest.replace(/^[\s,]+/, "");
    const word = TOKEN.exec(rest)?.[0];
    if (word === undefined) break;
    rest = rest.slice(word.length);
    // a name and "=" is a parameter of the scheme before it; anything else begins a scheme
    const equals = /^\s*=\s*(?=[^=\s,])/.exec(rest)?.[0];
    const current = found.at(-1);
    if (equals === undefined || !current) {
      rest = rest.replace(/^ +[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/, "");
      found.push({ scheme: word.toLowerCase(), parameters: Object.create(null) });
      continue;
    }
    rest = rest.slice(equals.length);
    const quoted = QUOTED.exec(rest);
    const value = quoted ?? TOKEN.exec(rest);
    if (!value) break;
    current.parameters[word.toLowerCase()] = quoted ? (quoted[1] ?? "").replace(/\\(.)/g, "$1") : value[0];
    rest = rest.slice(value[0].length);
  }
  return found;
}
