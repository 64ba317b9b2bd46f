package main

import (
	"bytes"
	"encoding/json"
	"math/rand"
	"sort"

	"k8s.io/apimachinery/pkg/runtime"
	kjson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"
)

// Values that are put in the place of others: zero, null, of another type.
var strangers = []string{
	`null`, `0`, `""`, `false`, `[]`, `{}`, `7`, `1.5`, `5000000000`, `"text"`, `true`, `[1]`, `{"a":1}`, `[null]`, `{"k":null}`,
	`"2026-01-02T03:04:05+01:00"`, `"1024Mi"`,
}

func stranger(random *rand.Rand) any {
	var value any
	decoder := json.NewDecoder(bytes.NewReader([]byte(strangers[random.Intn(len(strangers))])))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		fail("%v", err)
	}
	return value
}

func sortedKeys(object map[string]any) []string {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// mutate changes about one in `rarity` members and items; the top's apiVersion and kind stay.
func mutate(value any, random *rand.Rand, rarity int, top bool) any {
	switch typed := value.(type) {
	case map[string]any:
		for _, key := range sortedKeys(typed) {
			if top && (key == "apiVersion" || key == "kind") {
				continue
			}
			switch random.Intn(rarity) {
			case 0:
				delete(typed, key)
			case 1:
				typed[key] = stranger(random)
			case 2:
				typed["un"+key] = 1
			default:
				typed[key] = mutate(typed[key], random, rarity, false)
			}
		}
	case []any:
		for i := range typed {
			if random.Intn(rarity*2) == 0 {
				typed[i] = stranger(random)
			} else {
				typed[i] = mutate(typed[i], random, rarity, false)
			}
		}
	}
	return value
}

// pruneCases: random objects of every kind, broken here and there, as Kubernetes decodes them:
// {object, expected, unknown} or {object, error}.
func pruneCases(random *rand.Rand, count int, emit func(any)) {
	strict := kjson.NewSerializerWithOptions(kjson.DefaultMetaFactory, scheme.Scheme, scheme.Scheme,
		kjson.SerializerOptions{Strict: true})
	randomObjects(random, count, func(text []byte) {
		var generic any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&generic); err != nil {
			fail("%v", err)
		}
		broken, err := json.Marshal(mutate(generic, random, 10+random.Intn(200), true))
		if err != nil {
			fail("%v", err)
		}
		line := map[string]any{"object": json.RawMessage(broken)}
		decoded, _, err := strict.Decode(broken, nil, nil)
		if err != nil && !runtime.IsStrictDecodingError(err) {
			line["error"] = err.Error()
			emit(line)
			return
		}
		unknown := []string{}
		if strictError, ok := runtime.AsStrictDecodingError(err); ok {
			for _, each := range strictError.Errors() {
				unknown = append(unknown, each.Error())
			}
		}
		var out bytes.Buffer
		if err := strict.Encode(decoded, &out); err != nil {
			fail("%v", err)
		}
		line["expected"] = json.RawMessage(bytes.TrimSpace(out.Bytes()))
		line["unknown"] = unknown
		emit(line)
	})
}
