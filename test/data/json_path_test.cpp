#include "data/path.h"

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"

namespace orch {
namespace {

constexpr std::string_view kDocument = R"(
{"apiVersion":"v1","clusters":null,"contexts":null,"current-context":"","kind":"Config",
"preferences":{"extensions":[{"extension":{"apiVersion":"x/v1","big":12345678,"el":[],
"empty":{},"f":1.5,"html":"a<b>&c","items":[{"n":1,"p":{"q":1},"s":"a","tags":["x","yy"]},
{"b":true,"f":2.5,"n":2,"s":"b","tags":[]},{"b":false,"f":0.5,"n":3,"nil":null,"s":"c d",
"tags":["z"]}],"kind":"X","lists":[[],[1,2,3],[4]],"n":3,"neg":-7,"nil":null,"t":true},
"name":"e1"}]},"users":[{"name":"a","user":{"auth-provider":{"config":{"a.b":"1"},"name":"xx"},
"token":"t1"}},{"name":"b","user":{"auth-provider":{"config":null,"name":"yy"},"password":"p",
"username":"u"}},{"name":"c","user":{"username":"v"}}]}
)";

struct Case {
  std::string_view path;
  std::string_view expected;
};

// Every expectation here is what kubectl 1.33 printed: config view --raw -o jsonpath=<path> of a file
// with this content.

Result<std::string> format(std::string_view path, bool allow_missing = true) {
  TRY(JsonPath parsed, JsonPath::parse(path));
  TRY(Value document, parse_json(kDocument));
  return parsed.format(document, allow_missing);
}

TEST_CASE("JSONPath templates print what kubectl prints") {
  const Case kCases[] = {
      {"{.users[*].name}", "a b c"},
      {"{.users[0]}",
       R"({"name":"a","user":{"auth-provider":{"config":{"a.b":"1"},"name":"xx"},"token":"t1"}})"},
      {"{.users[-1].name}", "c"},
      {"{.users[0:2].name}", "a b"},
      {"{.users[::2].name}", "a c"},
      {"{.users[0,2].name}", "a c"},
      {"{.users[*]['name','user.username']}", "a b c u v"},
      {R"({.users[?(@.name=="a")].user.token})", "t1"},
      {"{.users[?(@.name=='a')].user.token}", "t1"},
      {"{.users[?(@.user.username)].name}", "b c"},
      {R"({.users[?(@.name!="a")].name})", "b c"},
      {R"({.users[?(@.name>"a")].name})", "b c"},
      {"{.nope}", ""},
      {"{.users.name}", ""},
      {R"({range .users[*]}{.name}{"\t"}{.user.username}{"\n"}{end})", "a\t\nb\tu\nc\tv\n"},
      {"{range .users[*]}{.name},{end}tail", "a,b,c,tail"},
      {"{range .users[*]}{.name}", "abc"},
      {"{..name}", "e1 a xx b yy c"},
      {"{.}", ""},
      {"{.kind..x}", ""},
      {R"({.users[*].user.auth-provider.config.a\.b})", "1"},
      {"{.users[*].user['auth-provider']['name']}", "xx yy"},
      {R"({.users[0].user.auth-provider.config['a\.b']})", "1"},
      {"{.kind.*}", "67 111 110 102 105 103"},
      {"{1}{1.5}{-2}{true}", "11.5-2true"},
      {"text only", "text only"},
      {"{.users[1:1].name}|", "|"},
      {"{.clusters[0].x}", ""},
      {"{range .clusters[*]}{.name}{end}|{.kind}", "|Config"},
      {"{range .users[*]}[{range .user.auth-provider}{.name}{end}]{end}", "[xx][yy][]"},
      {"{.users[?(@.user.nope[5])].name}", ""},
      {"{.users[?(@.name[5])].name}", "a b c"},
      {"{.users[*].user.auth-provider.name}", "xx yy"},
      {"{.users[0:].name}{.users[:1].name}{.users[].name}", "a b caa"},
      {"{.users[?(@.user.auth-provider.name==@.name)].name}", ""},
      {"{.users[?(@.name)]..name}", "a xx b yy c"},
      {R"({.users[?(@.name=="a")]['name']})", "a"},
      {R"({.users[?(@.name=="a\"b")].name})", ""},
      {"a{.kind}b{.kind}", "aConfigbConfig"},
      {"{.kind .apiVersion}", ""},
      {"{.['kind']}", ""},
      {"{['kind']}", "Config"},
      {"{.users[0, 1].name}", "a b"},
      {R"({"a"'b'})", "b"},
      {"{.users[?(1==1)].name}", "a b c"},
      {"{.users[?()].name}", "a b c"},
      {"{.preferences.extensions[0].extension.html}", "a<b>&c"},
      {"{.preferences.extensions[0].extension.n}", "3"},
      {"{.preferences.extensions[0].extension.f}", "1.5"},
      {"{.preferences.extensions[0].extension.neg}", "-7"},
      {"{.preferences.extensions[0].extension.t}", "true"},
      {"{.preferences.extensions[0].extension.nil}", "null"},
      {"{.preferences.extensions[0].extension.nil.x}", ""},
      {"{.preferences.extensions[0].extension.nil[0]}", ""},
      {"{.preferences.extensions[0].extension.empty}|{.preferences.extensions[0].extension.el}",
       "{}|[]"},
      {"{.preferences.extensions[0].extension.lists[*][*]}", ""},
      {"{.preferences.extensions[0].extension.lists[1:][*]}", "1 2 3 4"},
      {"{.preferences.extensions[0].extension.lists[1:][0:1]}", "1 4"},
      {"{.preferences.extensions[0].extension.lists[1][-2:]}", "2 3"},
      {"{.preferences.extensions[0].extension.lists[1][-1]}", "3"},
      {"{.preferences.extensions[0].extension.lists[1][:-1]}", "1 2"},
      {"{.preferences.extensions[0].extension.lists[1][3:]}", ""},
      {"{.preferences.extensions[0].extension.items[?(@.f>1.0)].s}", "b"},
      {"{.preferences.extensions[0].extension.items[?(@.b==true)].s}", "b"},
      {"{.preferences.extensions[0].extension.items[?(@.b!=true)].s}", "c d"},
      {"{.preferences.extensions[0].extension.items[?(@.nil)].s}", "c d"},
      {R"({.preferences.extensions[0].extension.items[?(@.s=="c d")].n})", "3"},
      {R"~({.preferences.extensions[0].extension.items[?(@.s=="(b)")].n}|)~", "|"},
      {"{.preferences.extensions[0].extension.items[?(@.p.q)].s}", "a"},
      {"{.preferences.extensions[0].extension.items[?(@.p.q==@.n)].s}", "a"},
      {"{range .preferences.extensions[0].extension.items[*]}{.s}:{range .tags[*]}{@},{end};{end}",
       "a:x,yy,;b:;c d:z,;"},
      {"{range .preferences.extensions[*]}{range .extension.items[*]}{.s}{end}", "abc d"},
      {"{range .preferences.extensions[*]}{range .extension.items[*]}{.s}{end}{.name}{end}{.kind}",
       "abc de1Config"},
      {"{range .nothing[*]}{range .x[*]}{.y}{end}{end}{.kind}", "Config"},
      {"{.preferences.extensions[0].extension.items[*].tags}", R"(["x","yy"] [] ["z"])"},
      {"{.preferences.extensions[0].extension.items[*].tags[*]}", "x yy"},
      {"{.preferences.extensions[0].extension.items[0,1].s}", "a b"},
      {"{.preferences.extensions[0].extension.items[0]['s','n']}", "a 1"},
      {"{.preferences.extensions[0].extension.items[0]['s', 'nope']}", "a"},
      {"{.preferences.extensions[0].extension.items[*]['p.q','s']}", "1 a b c d"},
      {"{..s}", "a b c d"},
      {"{..items[0].s}", "a"},
      {"{..['s','n']}", "a b c d 3 1 2 3"},
      {"{.preferences..n}", "3 1 2 3"},
      {"{.preferences.extensions[0].extension..q}", "1"},
      {"{.users[*]..name}", "a xx b yy c"},
      {R"({'a"b'}{"a'b"}{'it\'s'}{"say \"hi\""})", R"(a"ba'bit'ssay "hi")"},
      {"{1 2}", "2"},
      {"{ .kind }", "Config"},
      {"{.users [0] .name}", "a"},
      {"{.users[0] .name}", "a"},
      {R"({.kind}{"x"}{.nope}{"y"})", "Configxy"},
      {"{5.}", "5"},
      {"{.users[?(@.name=='a')] }",
       R"({"name":"a","user":{"auth-provider":{"config":{"a.b":"1"},"name":"xx"},"token":"t1"}})"},
      {"{.users[?(@['name']=='a')].name}", "a"},
      {R"({.users[?(@.name=='a')].user.auth-provider.config.a\.b})", "1"},
      {"{.users.*.name}", "a b c"},
      {"{.users[0].*}", R"(a {"auth-provider":{"config":{"a.b":"1"},"name":"xx"},"token":"t1"})"},
      {"{.users[0].name.*}", "97"},
      {"{$.kind}{@.kind}", "ConfigConfig"},
      {R"({.kind\}})", ""},
      {R"({.ki\nd})", "Config"},
      {R"({.a\\b})", ""},
      {"{.users[0:2,1].name}", "a b b"},
      {"{.users[,].name}", "a a"},
      {"{.users['name'].x}", ""},
      {R"({.users[0]['user']['auth-provider']['config']['a\.b']})", "1"},
      {R"({.users[0]['user.auth-provider.config.a\.b']})", "1"},
      {"{range}{end}", ""},
      {"{range .users}{.name}{end}", ""},
      {R"({range .users[*].name}{@}{"-"}{end})", "a-b-c-"},
      {"{range .users[*]}{range}{.name}{end}{end}", "abc"},
      {"{.users[0].name range}", ""},
      {"{.users[0:2].name}{range .users[*]}x{end}", "a bxxx"},
      {R"({.users[*].name}{"\n"}{.users[*].user.username})", "a b c\nu v"},
  };
  for (const Case& c : kCases) {
    INFO(c.path);
    auto text = format(c.path);
    CHECK((text ? *text : "error: " + text.error().message()) == c.expected);
  }
}

TEST_CASE("JSONPath templates that are malformed fail with kubectl's words") {
  const Case kCases[] = {
      {R"({.users[?(@.name=~"a")].name})", "unrecognized character in action: U+007E '~'"},
      {"{..*}", "unrecognized character in action: U+002A '*'"},
      {"{.users[x]}", "invalid array index x"},
      {"{.users[}", "unterminated array"},
      {"{.users", "unclosed action"},
      {R"({.users[?(@.name=="a"]})", "unterminated filter"},
      {R"({"a\tb"}{'c\'d'}{"\q"})", R"(unquote string "\q" error invalid syntax)"},
      {R"({.users[?(@.name=="a" || @.name=="b")].name})",
       "unrecognized character in action: U+007C '|'"},
      {"{....x}", "invalid multiple recursive descent"},
      {"{~}", "unrecognized character in action: U+007E '~'"},
      {"{1.2.3}", "cannot parse number 1.2.3"},
      {R"({"unterminated})", "unterminated quoted string"},
      {"{.users[1000000000000000000000]}", "array index 1000000000000000000000 is not a number"},
      {"{.users[-]}", "array index - is not a number"},
      {"{.users[+1]}", "invalid array index +1"},
      {"{.users[1:2:3:4]}", "invalid array index 1:2:3:4"},
      {"{.kind}}{", "unclosed action"},
      {"{{.kind}}", "unrecognized character in action: U+007B '{'"},
      {"{.kind,.apiVersion}", "unrecognized character in action: U+002C ','"},
      {"{.users[ 0 ].name}", "invalid array index  0 "},
      {R"({.users["name"]})", R"(invalid array index "name")"},
      {"{.users[?(@.name==)].name}", "unrecognized character in action: U+003D '='"},
      {"{.users[?(==1)].name}", "unrecognized character in action: U+003D '='"},
      {R"({"\u00e9\x41\101\n|\"|\\"})", "unterminated quoted string"},
      {R"({"\ud800"})", R"(unquote string "\ud800" error invalid syntax)"},
      {R"({"\400"})", R"(unquote string "\400" error invalid syntax)"},
      {R"({"\'"})", R"(unquote string "\'" error invalid syntax)"},
      {"{+}", "cannot parse number +"},
      {"{.users[?(@.name in ('a'))].name}", "unclosed array expect ]"},
      {"{.users[?(@.name=='a')}", "unclosed array expect ]"},
      {"{,}", "unrecognized character in action: U+002C ','"},
      {R"({.users[0]["name"]})", R"(invalid array index "name")"},
  };
  for (const Case& c : kCases) {
    INFO(c.path);
    auto parsed = JsonPath::parse(c.path);
    REQUIRE(!parsed);
    CHECK(parsed.error().message() == c.expected);
    CHECK(parsed.error().is(Code::parse));
  }
}

TEST_CASE("JSONPath templates that do not fit the value fail with kubectl's words") {
  const Case kCases[] = {
      {"{.users[3].name}", "array index out of bounds: index 3, length 3"},
      {"{.users[-4].name}", "array index out of bounds: index -1, length 3"},
      {"{.users[?(@.name==1)].name}", "incompatible types for comparison"},
      {"{.kind[0]}", "string is not array or slice"},
      {"{.kind[?(@.a)]}", "Config is not array or slice and cannot be filtered"},
      {"{end}", "not in range, nothing to end"},
      {"{foo}", "unrecognized identifier foo"},
      {"{.users[1:0].name}", "starting index 1 is greater than ending index 0"},
      {"{.users[0:3:0].name}", "step must be > 0"},
      {"{.users[0:9].name}", "array index out of bounds: index 8, length 3"},
      {"{é}", "unrecognized identifier é"},
      {"{.users[?(@.name<=true)].name}", "incompatible types for comparison"},
      {R"({.users[?(@.user=="a")].name})", "invalid type for comparison"},
      {"{[0]}", "map[string]interface {} is not array or slice"},
      {"{[*]}", "map[string]interface {} is not array or slice"},
      {"{.preferences.extensions[0].extension.nil[?(@.a)]}",
       "<nil> is not array or slice and cannot be filtered"},
      {"{.preferences.extensions[0].extension.lists[1][::-1]}", "step must be > 0"},
      {"{.preferences.extensions[0].extension.lists[1][4:]}",
       "array index out of bounds: index 4, length 3"},
      {"{.preferences.extensions[0].extension.items[?(@.f>1)].s}",
       "incompatible types for comparison"},
      {"{.preferences.extensions[0].extension.items[?(@.b<true)].s}",
       "invalid type for comparison"},
      {"{.preferences.extensions[0].extension.items[?(@.nil==1)].s}",
       "invalid type for comparison"},
      {R"({.preferences.extensions[0].extension.items[?(@.p=="a")].n}|)",
       "invalid type for comparison"},
      {R"({.preferences.extensions[0].extension.items[?(@.tags[*]=="x")].n}|)",
       "can only compare one element at a time"},
      {R"({.preferences.extensions[0].extension.items[?(@.tags[0]=="x")].n}|)",
       "array index out of bounds: index 0, length 0"},
      {R"({.preferences.extensions[0].extension.items[?(@.s=>"a")].s})",
       "unrecognized filter operator =>"},
      {R"({.preferences.extensions[0].extension.items[?(@.s!"a")].s})",
       "unrecognized filter operator !"},
      {"{range .preferences.extensions[0].extension.items[*]}{.s}{end}{end}",
       "not in range, nothing to end"},
      {"{end}{range .users[*]}", "not in range, nothing to end"},
      {"{.preferences.extensions[0].extension.items[0,7].s}",
       "array index out of bounds: index 7, length 3"},
      {"{..tags[0]}", "array index out of bounds: index 0, length 0"},
      {"{+5}{-0.5}{1e5}", "unrecognized identifier e5"},
      {"{kind}", "unrecognized identifier kind"},
      {"{true}{false}{truex}", "unrecognized identifier truex"},
      {"{end .users}", "not in range, nothing to end"},
  };
  for (const Case& c : kCases) {
    INFO(c.path);
    auto text = format(c.path);
    REQUIRE(!text);
    CHECK(text.error().message() == c.expected);
    CHECK(text.error().is(Code::bad_request));
  }
}

TEST_CASE("a missing key is an error where it is not allowed") {
  CHECK(format("{.nope}", false).error().message() == "nope is not found");
  CHECK(format("{range .nothing[*]}{.a[0]}{end}", false).error().message() ==
        "nothing is not found");
  CHECK(format("{.users[*].user.username}", false).value() == "u v");
  CHECK(format("{range .users[?(@.name==\"zz\")]}{.x}{end}", false).error().message() ==
        "x is not found");
}

TEST_CASE("integers keep their digits and compare with integers") {
  auto extension = [](std::string rest) {
    return format("{.preferences.extensions[0].extension" + rest + "}").value();
  };
  CHECK(extension(".big") == "12345678");
  CHECK(extension(".items[?(@.n>=2)].s") == "b c d");
  CHECK(extension(".items[?(@.n==2)].s") == "b");
}

TEST_CASE("a selection gives the values themselves") {
  Value document = *parse_json(kDocument);
  auto names = JsonPath::parse("{.users[*].name}")->select(document, true);
  REQUIRE(names);
  CHECK(*names == std::vector<Value>{"a", "b", "c"});
  CHECK(JsonPath::parse("{.nope}")->select(document, true)->empty());
  CHECK(JsonPath().select(document, true)->empty());
}

TEST_CASE("a template whose visits multiply is stopped") {
  // 200^5 values in a tree of five lists that share their items.
  Value deep = 1;
  for (int i = 0; i < 5; ++i) deep = Value::list(std::vector<Value>(200, deep));
  for (std::string_view path : {"{[*][*][*][*][*]}", "{..}"}) {
    INFO(path);
    auto text = JsonPath::parse(path)->format(deep, true);
    REQUIRE(!text);
    CHECK(text.error().message() == "the template selects too many values");
  }
  std::string ranges;
  for (int i = 0; i < 33; ++i) ranges += "{range @}";
  CHECK(JsonPath::parse(ranges)->format(deep, true).error().message() == "too many nested ranges");
}

}  // namespace
}  // namespace orch
