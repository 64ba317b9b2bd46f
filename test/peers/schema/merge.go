package main

import (
	"encoding/json"
	"fmt"
	"math/rand"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

type object = map[string]any

type mergeCase struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Original   json.RawMessage `json:"original"`
	Patch      json.RawMessage `json:"patch"`
	Expected   json.RawMessage `json:"expected,omitempty"`
	Error      string          `json:"error,omitempty"`
}

// Some of the names, in random order.
func some(random *rand.Rand, names ...string) []string {
	random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names[:random.Intn(len(names)+1)]
}

func maybe(random *rand.Rand, into object, key string, value any) {
	if random.Intn(2) == 0 {
		into[key] = value
	}
}

func named(random *rand.Rand, key string, names []string, fill func(object)) []any {
	list := []any{}
	for _, name := range names {
		item := object{key: name}
		fill(item)
		list = append(list, item)
	}
	return list
}

func randomLabels(random *rand.Rand) object {
	labels := object{}
	for _, name := range some(random, "app", "tier", "zone") {
		labels[name] = fmt.Sprint(random.Intn(3))
	}
	return labels
}

func randomContainer(random *rand.Rand, container object) {
	maybe(random, container, "image", fmt.Sprint("image:", random.Intn(3)))
	maybe(random, container, "command", []any{"run", fmt.Sprint(random.Intn(2))})
	maybe(random, container, "env", named(random, "name", some(random, "A", "B", "C", "D"), func(env object) {
		if random.Intn(3) > 0 {
			env["value"] = fmt.Sprint(random.Intn(2))
		} else {
			env["valueFrom"] = object{"fieldRef": object{"fieldPath": "metadata.name"}}
		}
	}))
	ports := []any{}
	for _, port := range random.Perm(4)[:random.Intn(4)] {
		item := object{"containerPort": 8080 + port}
		maybe(random, item, "name", fmt.Sprint("port-", port))
		maybe(random, item, "protocol", "UDP")
		ports = append(ports, item)
	}
	maybe(random, container, "ports", ports)
	maybe(random, container, "volumeMounts", named(random, "mountPath", some(random, "/a", "/b", "/c"), func(mount object) {
		mount["name"] = fmt.Sprint("v", random.Intn(3))
	}))
	maybe(random, container, "resources", object{"limits": object{"cpu": fmt.Sprint(random.Intn(3) + 1)}})
}

func randomPodSpec(random *rand.Rand) object {
	spec := object{}
	spec["containers"] = named(random, "name", some(random, "c1", "c2", "c3", "c4"), func(container object) {
		randomContainer(random, container)
	})
	maybe(random, spec, "volumes", named(random, "name", some(random, "v0", "v1", "v2"), func(volume object) {
		switch random.Intn(3) {
		case 0:
			volume["emptyDir"] = object{}
		case 1:
			volume["configMap"] = object{"name": fmt.Sprint("cm", random.Intn(2))}
		default:
			volume["hostPath"] = object{"path": "/tmp"}
		}
	}))
	maybe(random, spec, "nodeSelector", randomLabels(random))
	maybe(random, spec, "tolerations", named(random, "key", some(random, "k1", "k2"), func(item object) {
		item["operator"] = "Exists"
	}))
	maybe(random, spec, "hostAliases", named(random, "ip", some(random, "1.1.1.1", "2.2.2.2"), func(item object) {
		item["hostnames"] = []any{fmt.Sprint("h", random.Intn(3))}
	}))
	maybe(random, spec, "imagePullSecrets", named(random, "name", some(random, "s1", "s2", "s3"), func(object) {}))
	return spec
}

func randomMetadata(random *rand.Rand) object {
	metadata := object{"name": "x"}
	maybe(random, metadata, "labels", randomLabels(random))
	finalizers := []any{}
	for _, name := range some(random, "f/1", "f/2", "f/3", "f/4") {
		finalizers = append(finalizers, name)
	}
	maybe(random, metadata, "finalizers", finalizers)
	maybe(random, metadata, "ownerReferences", named(random, "uid", some(random, "u1", "u2", "u3"), func(item object) {
		item["kind"], item["name"], item["apiVersion"] = "K", fmt.Sprint("n", random.Intn(2)), "v1"
	}))
	return metadata
}

func randomObject(random *rand.Rand, kind string) []byte {
	made := object{"metadata": randomMetadata(random)}
	switch kind {
	case "Pod":
		made["apiVersion"], made["kind"], made["spec"] = "v1", kind, randomPodSpec(random)
	case "Service":
		ports := []any{}
		for _, port := range random.Perm(4)[:random.Intn(5)] {
			item := object{"port": 80 + port}
			maybe(random, item, "targetPort", 8080)
			maybe(random, item, "name", fmt.Sprint("p", port))
			ports = append(ports, item)
		}
		made["apiVersion"], made["kind"] = "v1", kind
		made["spec"] = object{"ports": ports, "selector": randomLabels(random)}
	default:
		spec := object{"template": object{"metadata": object{"labels": randomLabels(random)}, "spec": randomPodSpec(random)}}
		maybe(random, spec, "replicas", random.Intn(4))
		if random.Intn(2) == 0 {
			spec["strategy"] = object{"type": "Recreate"}
		} else {
			spec["strategy"] = object{"type": "RollingUpdate", "rollingUpdate": object{"maxSurge": random.Intn(3)}}
		}
		made["apiVersion"], made["kind"], made["spec"] = "apps/v1", kind, spec
	}
	text, err := json.Marshal(made)
	if err != nil {
		fail("cannot encode: %v", err)
	}
	return text
}

// Directives put in at random places: most are nonsense, and must fail with the same words.
func disturb(random *rand.Rand, value any) {
	switch typed := value.(type) {
	case map[string]any:
		if random.Intn(12) == 0 {
			typed["$patch"] = []string{"replace", "delete", "merge"}[random.Intn(3)]
		}
		for key, inner := range typed {
			if random.Intn(25) == 0 {
				typed[key] = nil
				continue
			}
			disturb(random, inner)
		}
	case []any:
		for _, inner := range typed {
			disturb(random, inner)
		}
	}
}

func mergeCases(random *rand.Rand, count int, emit func(any)) {
	structs := map[string]any{"Pod": core.Pod{}, "Deployment": apps.Deployment{}, "Service": core.Service{}}
	for i := 0; i < count; i++ {
		kind := []string{"Pod", "Deployment", "Service"}[i%3]
		schema, err := strategicpatch.NewPatchMetaFromStruct(structs[kind])
		if err != nil {
			fail("no patch metadata: %v", err)
		}
		original, modified, current := randomObject(random, kind), randomObject(random, kind), randomObject(random, kind)
		var patch []byte
		if i%2 == 0 { // what kubectl apply sends
			patch, err = strategicpatch.CreateThreeWayMergePatch(original, modified, current, schema, true)
		} else { // a patch meant for another object
			patch, err = strategicpatch.CreateTwoWayMergePatch(original, modified, structs[kind])
		}
		if err != nil {
			continue
		}
		if i%5 == 0 {
			var loose any
			if err := json.Unmarshal(patch, &loose); err != nil {
				fail("bad patch: %v", err)
			}
			disturb(random, loose)
			if patch, err = json.Marshal(loose); err != nil {
				fail("cannot encode: %v", err)
			}
		}
		made := mergeCase{Kind: kind, APIVersion: "v1", Original: current, Patch: patch}
		if kind == "Deployment" {
			made.APIVersion = "apps/v1"
		}
		if merged, err := strategicpatch.StrategicMergePatch(current, patch, structs[kind]); err != nil {
			made.Error = err.Error()
		} else {
			made.Expected = merged
		}
		emit(made)
	}
}
