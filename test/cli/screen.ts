/**
 * A terminal's screen (xterm, as far as progress needs it): what a person sees after some output. Fails on any sequence that
 * it does not know, and on bytes that move or change something else.
 */
export class Screen {
  /** All lines since the beginning; the window is on the last `rows` of them. */
  readonly #lines: string[] = [""];
  #row = 0;
  #column = 0;

  constructor(
    public columns: number,
    public rows: number,
  ) {}

  write(output: string): void {
    for (const [part] of output.matchAll(/\p{Cc}\[[0-9;?]*[A-Za-z]|[\s\S]/gu)) {
      if (part.length > 1 && part.startsWith("\x1b")) this.#sequence(part);
      else if (part === "\r") this.#column = 0;
      else if (part === "\n") this.#newline();
      else if (/\p{Cc}/u.test(part)) throw new Error(`a control character: ${JSON.stringify(part)}`);
      else this.#put(part);
    }
  }

  /** Every line that was ever shown and still is somewhere, from the top of the scrollback, without blank ends. */
  get text(): string[] {
    const lines = this.#lines.map((line) => line.trimEnd());
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }

  /** How many lines the cursor is below the last one with text. */
  get below(): number {
    return this.#row - (this.text.length - 1);
  }

  get column(): number {
    return this.#column;
  }

  /** The first line of the window. */
  get #top(): number {
    return Math.max(0, this.#lines.length - this.rows);
  }

  #sequence(text: string): void {
    const count = Number(/[0-9]+/.exec(text)?.[0] ?? "0");
    const kind = text.at(-1);
    if (kind === "A") this.#row = Math.max(this.#top, this.#row - Math.max(1, count));
    else if (kind === "J" && count === 0) {
      this.#lines.fill("", this.#row + 1);
      this.#set(this.#line.slice(0, this.#column));
    } else if (kind === "K" && count === 2) this.#set("");
    else throw new Error(`an unknown sequence: ${JSON.stringify(text)}`);
  }

  #put(character: string): void {
    // a full line breaks only when there is one character more
    if (this.#column === this.columns) {
      this.#column = 0;
      this.#newline();
    }
    const line = this.#line.padEnd(this.#column);
    this.#set(line.slice(0, this.#column) + character + line.slice(this.#column + 1));
    this.#column += 1;
  }

  /** With what the line discipline makes of it (ONLCR). */
  #newline(): void {
    this.#column = 0;
    this.#row += 1;
    if (this.#row === this.#lines.length) this.#lines.push("");
  }

  get #line(): string {
    return this.#lines[this.#row] ?? "";
  }

  #set(line: string): void {
    this.#lines[this.#row] = line;
  }
}
