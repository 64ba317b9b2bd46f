// Computes reference results with Kubernetes' own Go packages, for the schema room's tests:
//
//	go run . merge <seed> <count>   strategic merge patches: one JSON case a line
//	                                {kind, original, patch, expected | error}
//	go run . make-merge <seed> <count>  the patches apply makes: {kind, original, modified, current, threeWay, twoWay}
//	go run . protobuf <seed> <count>  one random object of every kind, count times:
//	                                {object, bytes (base64, with the k8s\0 envelope)}
//	go run . prune <seed> <count>   the same, broken here and there, then decoded and written again:
//	                                {object, expected, unknown} or {object, error}
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strconv"
)

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

func main() {
	if len(os.Args) != 4 {
		fail("usage: (merge | make-merge | protobuf | prune) <seed> <count>")
	}
	seed, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		fail("bad seed: %v", err)
	}
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		fail("bad count: %v", err)
	}
	random := rand.New(rand.NewSource(seed))
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	emit := func(line any) {
		text, err := json.Marshal(line)
		if err != nil {
			fail("cannot encode: %v", err)
		}
		out.Write(text)
		out.WriteByte('\n')
	}
	switch os.Args[1] {
	case "merge":
		mergeCases(random, count, emit)
	case "make-merge":
		makeMergeCases(random, count, emit)
	case "protobuf":
		protobufCases(random, count, emit)
	case "prune":
		pruneCases(random, count, emit)
	default:
		fail("unknown table %q", os.Args[1])
	}
}
