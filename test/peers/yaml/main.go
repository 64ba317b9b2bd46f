// What sigs.k8s.io/yaml, and so kubectl, makes of YAML: the reference for test/data/golden/yaml_*.txt.
//
// Reads JSON strings from stdin, one a line. "emit": each holds JSON, and its YAML is printed;
// "read": each holds YAML, and its JSON is printed. A line of output is {"in", "out" or "error"}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
	goyaml "sigs.k8s.io/yaml/goyaml.v2"
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<26)
	for in.Scan() {
		var text string
		if err := json.Unmarshal(in.Bytes(), &text); err != nil {
			panic(err)
		}
		answer := map[string]string{"in": text}
		out, err := convert(os.Args[1], text)
		if err != nil {
			answer["error"] = err.Error()
		} else {
			answer["out"] = string(out)
		}
		line, _ := json.Marshal(answer)
		fmt.Println(string(line))
	}
}

// emit goes past JSONToYAML, which reads the JSON as YAML first and stumbles over rare characters.
func convert(mode, text string) ([]byte, error) {
	if mode == "read" {
		return yaml.YAMLToJSON([]byte(text))
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value interface{}
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return goyaml.Marshal(withNumbers(value))
}

func withNumbers(value interface{}) interface{} {
	switch t := value.(type) {
	case map[string]interface{}:
		for key, inner := range t {
			t[key] = withNumbers(inner)
		}
	case []interface{}:
		for i, inner := range t {
			t[i] = withNumbers(inner)
		}
	case json.Number:
		if i, err := strconv.ParseInt(string(t), 10, 64); err == nil {
			return i
		}
		if u, err := strconv.ParseUint(string(t), 10, 64); err == nil {
			return u
		}
		f, _ := t.Float64()
		return f
	}
	return value
}
