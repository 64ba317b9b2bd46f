package main

import (
	"encoding/json"
	"math/rand"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

type makeMergeCase struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Original   json.RawMessage `json:"original"`
	Modified   json.RawMessage `json:"modified"`
	Current    json.RawMessage `json:"current"`
	ThreeWay   json.RawMessage `json:"threeWay,omitempty"`
	TwoWay     json.RawMessage `json:"twoWay,omitempty"` // from current to modified
}

// The patches that `kubectl apply` makes.
func makeMergeCases(random *rand.Rand, count int, emit func(any)) {
	structs := map[string]any{"Pod": core.Pod{}, "Deployment": apps.Deployment{}, "Service": core.Service{}}
	for i := 0; i < count; i++ {
		kind := []string{"Pod", "Deployment", "Service"}[i%3]
		schema, err := strategicpatch.NewPatchMetaFromStruct(structs[kind])
		if err != nil {
			fail("no patch metadata: %v", err)
		}
		original, modified, current := randomObject(random, kind), randomObject(random, kind), randomObject(random, kind)
		switch i % 4 {
		case 1: // nothing else changed it
			current = original
		case 2: // nothing to do
			modified = current
		}
		made := makeMergeCase{Kind: kind, APIVersion: "v1", Original: original, Modified: modified, Current: current}
		if kind == "Deployment" {
			made.APIVersion = "apps/v1"
		}
		if made.ThreeWay, err = strategicpatch.CreateThreeWayMergePatch(original, modified, current, schema, true); err != nil {
			continue
		}
		if made.TwoWay, err = strategicpatch.CreateTwoWayMergePatch(current, modified, structs[kind]); err != nil {
			continue
		}
		emit(made)
	}
}
