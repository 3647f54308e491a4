import { describe, expect, test } from "bun:test";
import { TemplateError } from "../../src/cli/template/values.ts";
import { renderTemplate } from "../../src/cli/template.ts";

const data = {
  Name: "c1",
  Id: "0123456789ab",
  Size: 1500,
  On: true,
  Off: false,
  Null: null,
  Zero: 0,
  Blank: "",
  Args: ["a", "b", "c"],
  None: [],
  State: { Pid: 42, Health: null, Status: "running" },
  Labels: { zone: "eu", "com.example/x": "y", app: "web" },
  Mounts: [
    { Source: "/a", Ports: [1, 2] },
    { Source: "/b", Ports: [] },
  ],
};

const cases = (table: readonly (readonly [string, string])[]): void => {
  test.each(table.map(([template, result]) => [template, result] as [string, string]))(
    "%s",
    (template, result) => {
      expect(renderTemplate(template, data)).toBe(result);
    },
  );
};

/** What Go does and this program does not, yet. */
const bugs = (table: readonly (readonly [string, string, string])[]): void => {
  for (const [template, result, why] of table)
    test(`${template}: ${why}`, () => {
      expect(renderTemplate(template, data)).toBe(result);
    });
};

describe("values", () => {
  cases([
    ["", ""],
    ["no action } }} {", "no action } }} {"],
    ["{{.Name}}", "c1"],
    ["<{{ .Name }}>", "<c1>"],
    ["{{.State.Pid}}", "42"],
    ["{{$.State.Status}}", "running"],
    ["{{(.State).Pid}}", "42"],
    ["{{.On}} {{.Off}}", "true false"],
    ["{{.Args}}", "[a b c]"],
    ["{{.Labels}}", "map[app:web com.example/x:y zone:eu]"],
    ["{{.State.Health}}", "<nil>"],
    ['{{"}}"}}', "}}"],
    ['{{`a\\n"`}}', 'a\\n"'],
    ['{{"a\\tb"}}', "a\tb"],
    ["{{-3}} {{1.5}} {{true}}", "-3 1.5 true"],
    ["{{.Name}}{{.Name}}", "c1c1"],
  ]);
});

describe("variables and scopes", () => {
  cases([
    ["{{$x := .Name}}<{{$x}}>", "<c1>"],
    ["{{$x := 1}}{{$x = 2}}{{$x}}", "2"],
    ["{{$x := .State}}{{$x.Pid}}", "42"],
    ["{{range .Args}}{{$.Name}}{{.}} {{end}}", "c1a c1b c1c "],
    ["{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}", "1"],
    ["{{$x := 1}}{{range .Args}}{{$x = 2}}{{end}}{{$x}}", "2"],
  ]);
  bugs([
    ["{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2", "= in a block sets the variable outside"],
    [
      "{{$f := true}}{{range .Args}}{{if $f}}{{$f = false}}{{else}},{{end}}{{.}}{{end}}",
      "a,b,c",
      "the usual way to write commas between",
    ],
    ["{{$x := 1}}{{range $x := .Args}}{{end}}{{$x}}", "1", "range's own variable ends with it"],
    ["{{$x := 1}}{{range .Args}}{{$x := 2}}{{end}}{{$x}}", "1", ":= in range's body ends with it"],
  ]);
});

describe("if, with, range", () => {
  cases([
    ["{{if .On}}y{{end}}", "y"],
    ["{{if .Off}}y{{else}}n{{end}}", "n"],
    ["{{if .Off}}1{{else if .Zero}}2{{else if .On}}3{{else}}4{{end}}", "3"],
    ["{{if .Off}}1{{else if .Zero}}2{{else}}4{{end}}!", "4!"],
    [
      "{{if .Blank}}1{{end}}{{if .None}}2{{end}}{{if .Null}}3{{end}}{{if .Args}}4{{end}}{{if .Labels}}5{{end}}",
      "45",
    ],
    ["{{if .On}}{{if .Off}}1{{else}}2{{end}}{{else}}3{{end}}", "2"],
    ["{{if $x := .Name}}{{$x}}{{end}}", "c1"],
    ["{{with .State}}{{.Pid}} {{$.Name}}{{end}}", "42 c1"],
    ["{{with .Null}}1{{else}}{{.Name}}{{end}}", "c1"],
    ["{{with .Null}}1{{else with .State}}{{.Pid}}{{end}}", "42"],
    ["{{with $s := .State}}{{$s.Pid}}{{.Pid}}{{end}}", "4242"],
    ["{{range .Args}}<{{.}}>{{end}}", "<a><b><c>"],
    ["{{range .None}}x{{else}}none{{end}}", "none"],
    ["{{range .Null}}x{{else}}none{{end}}", "none"],
    ["{{range $i, $e := .Args}}{{$i}}={{$e}} {{end}}", "0=a 1=b 2=c "],
    ["{{range $e := .Args}}{{$e}}{{end}}", "abc"],
    ["{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "app=web;com.example/x=y;zone=eu;"],
    ["{{range .Mounts}}{{.Source}}:{{range .Ports}}{{.}}{{else}}-{{end}} {{end}}", "/a:12 /b:- "],
    ["{{range .Mounts}}{{if eq .Source `/b`}}{{.Source}}{{end}}{{end}}", "/b"],
  ]);
  bugs([["{{range .Args}}{{if eq . `b`}}{{break}}{{end}}{{.}}{{end}}", "a", "break (Go 1.18)"]]);
});

describe("functions and pipes", () => {
  cases([
    ["{{json .Args}}", '["a","b","c"]'],
    ["{{json .State}}", '{"Pid":42,"Health":null,"Status":"running"}'],
    ["{{json .Null}} {{json .Name}}", 'null "c1"'],
    ["{{.State | json}}", '{"Pid":42,"Health":null,"Status":"running"}'],
    ["{{json .}}", JSON.stringify(data)],
    ['{{index .Labels "com.example/x"}}', "y"],
    ['{{index .Labels "missing"}}', ""],
    ["{{index .Args 1}}", "b"],
    ["{{index .Mounts 0 `Ports` 1}}", "2"],
    ["{{(index .Mounts 1).Source}}", "/b"],
    ['{{join .Args ", "}}', "a, b, c"],
    ['{{join (split "a:b" ":") "-"}}', "a-b"],
    ["{{len .Args}}{{len .Name}}{{len .Labels}}{{len `ü`}}", "3232"],
    ["{{.Name | upper}} {{upper .Name}} {{`AbC` | lower}}", "C1 C1 abc"],
    ["{{title `hello world`}}", "Hello World"],
    ["{{truncate .Id 4}} {{truncate .Name 9}}", "0123 c1"],
    ["{{slice .Id 2 4}}{{slice .Id 10}}", "23ab"],
    ["<{{pad .Name 1 2}}>", "< c1  >"],
    ["{{not .On}}{{not .Blank}}", "falsetrue"],
    ["{{and .On .Name}} {{and .Zero .Name}} {{or .Blank .Name}} {{or .Zero .Blank}}|", "c1 0 c1 |"],
    ["{{eq .Name `c1`}}{{eq .Size 1500}}{{ne .Name `x`}}", "truetruetrue"],
    ["{{eq .Name `a` `b` `c1`}}{{eq .Name `a` `b`}}", "truefalse"],
    ["{{lt 2 10}}{{le 2 2}}{{gt 2 10}}{{ge 2 3}}{{lt `2` `10`}}", "truetruefalsefalsefalse"],
    ["{{if and (eq .State.Status `running`) (gt .State.Pid 0)}}up{{end}}", "up"],
    ["{{if not (or .Off .Zero)}}y{{end}}", "y"],
    ["{{printf `%s is %d` .Name .Size}}", "c1 is 1500"],
    ["{{printf `%q %v %t %%` .Name .Args .On}}", '"c1" [a b c] true %'],
    ["{{printf `%5d|%-5s|%05d|%.1f` 42 .Name 42 1.26}}", "   42|c1   |00042|1.3"],
    ["{{.Name | printf `%s-%s` `x`}}", "x-c1"],
    ["{{.Name | printf `%s` | upper | len}}", "2"],
    ["{{print `a` .Name}}{{println .Name}}", "ac1c1\n"],
    ["{{print 1 2}}", "1 2"],
  ]);
  bugs([
    ["{{printf `%.4s` .Id}}", "0123", "the precision of %s cuts"],
    ["{{printf `%x` 255}}", "ff", "%x"],
    ["{{if and .Null `x`}}y{{else}}n{{end}}", "n", "and gives its first empty value, nil too"],
    [
      "{{if and .State.Health .State.Health.Status}}y{{else}}n{{end}}",
      "n",
      "and stops at the first empty value",
    ],
    ["{{or .Name .Null.Field}}", "c1", "or stops at the first value"],
    ["{{print 1 2 `a`}}", "1 2a", "a blank only between two that are no strings"],
    ["{{title `foo-bar`}}", "Foo-Bar", "strings.Title: after all that is no letter"],
    ["<{{pad `` 1 1}}>", "<>", "Docker pads nothing empty"],
  ]);
});

describe("blanks and comments", () => {
  cases([
    ["a {{- .Name -}} b", "ac1b"],
    ["a {{- .Name}} b", "ac1 b"],
    ["a\n\t{{.Name -}}\n\n b", "a\n\tc1b"],
    ["a {{-3}} b", "a -3 b"],
    ["a{{/* nothing */}}b", "ab"],
    ["a {{- /* nothing */ -}} b", "ab"],
    ["{{range .Args -}} {{.}} {{- end}}", "abc"],
  ]);
  bugs([['a{{/* a " quote */}}b', "ab", "a quote in a comment opens nothing"]]);
});

describe("errors are 64", () => {
  test.each([
    ["{{.Nope}}", "Nope"],
    ["{{.State.Nope}}", "Nope"],
    ["{{.Name.First}}", "First"],
    ["{{.Null.Field}}", "Field"],
    ["{{.Name", "unclosed action"],
    ["{{if .On}}", "end"],
    ["{{range .Args}}x{{else}}", "end"],
    ["{{end}}", "unexpected {{end}}"],
    ["{{else}}", "unexpected {{else}}"],
    ["{{if .On}}{{else}}{{else}}{{end}}", ""],
    ["{{}}", "missing value"],
    ["{{nosuch .Name}}", 'function "nosuch" not defined'],
    ["{{.Name | nosuch}}", "nosuch"],
    ["{{.Name .Id}}", "unexpected"],
    ["{{(.Name}}", "unclosed left parenthesis"],
    ["{{.Name)}}", "unexpected"],
    ["{{$nope}}", 'undefined variable "$nope"'],
    ["{{index .Args 9}}", "out of range"],
    ["{{index .Name `x` `y`}}", "index"],
    ["{{slice .Name 5}}", "out of range"],
    ["{{'x}}", "unexpected"],
    ["{{if}}{{end}}", "missing value"],
    ["{{.constructor}}", "constructor"],
    ["{{.__proto__}}", "__proto__"],
    ["{{constructor}}", "not defined"],
  ])("%s", (template, words) => {
    let failure: unknown;
    try {
      renderTemplate(template, data);
    } catch (error) {
      failure = error;
    }
    if (!(failure instanceof TemplateError)) throw new Error(`no template error but ${failure}`);
    expect(failure.message).toStartWith("template: ");
    expect(failure.message).toContain(words);
    expect(failure.exitCode).toBe(64);
  });

  test("eq of a text and a number is an error in Go", () => {
    expect(() => renderTemplate("{{eq .State.Pid `42`}}", data)).toThrow(TemplateError);
  });

  test("range over what cannot be ranged over is an error in Go", () => {
    expect(() => renderTemplate("{{range .Name}}x{{end}}", data)).toThrow(TemplateError);
  });

  test("range's variable is undefined behind it", () => {
    expect(() => renderTemplate("{{range $x := .Args}}{{end}}{{$x}}", data)).toThrow(TemplateError);
  });
});
