package main

import (
	"bytes"
	"encoding/json"
	"math/rand"
	"reflect"
	"sort"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
)

type protobufCase struct {
	Object json.RawMessage `json:"object"`
	Bytes  []byte          `json:"bytes"`
}

// Types that are more than their fields.
func fillSpecial(random *rand.Rand, value reflect.Value) bool {
	switch typed := value.Addr().Interface().(type) {
	case *meta.Time:
		*typed = meta.Time{Time: time.Unix(random.Int63n(4e9), 0)}
	case *meta.MicroTime:
		*typed = meta.MicroTime{Time: time.Unix(random.Int63n(4e9), random.Int63n(1e6)*1000)}
	case *meta.Duration:
		*typed = meta.Duration{Duration: time.Duration(random.Int63n(1e13))}
	case *resource.Quantity:
		*typed = resource.MustParse([]string{"0", "1", "100m", "1Gi", "1500m", "2k", "5e3"}[random.Intn(7)])
	case *intstr.IntOrString:
		*typed = []intstr.IntOrString{intstr.FromInt32(7), intstr.FromString("25%"), intstr.FromInt32(-1)}[random.Intn(3)]
	case *runtime.RawExtension:
		*typed = runtime.RawExtension{Raw: []byte(`{"a":{"b":[1,"x"]}}`)}
	case *meta.FieldsV1:
		*typed = meta.FieldsV1{Raw: []byte(`{"f:spec":{}}`)}
	case *meta.TypeMeta:
	default:
		return false
	}
	return true
}

func fill(random *rand.Rand, value reflect.Value, depth int) {
	if fillSpecial(random, value) {
		return
	}
	switch value.Kind() {
	case reflect.Bool:
		value.SetBool(random.Intn(2) == 0)
	case reflect.Int32, reflect.Int64, reflect.Int:
		value.SetInt([]int64{0, 1, 127, 128, 65536, -1, 2147483647}[random.Intn(7)])
	case reflect.Float64:
		value.SetFloat(float64(random.Intn(100)) + 0.5)
	case reflect.Uint8:
		value.SetUint(uint64(random.Intn(256)))
	case reflect.String:
		value.SetString([]string{"", "a", "text", "gr\u00fc\u00dfe", "with \"quotes\""}[random.Intn(5)])
	case reflect.Pointer:
		if depth < 12 && random.Intn(3) > 0 {
			value.Set(reflect.New(value.Type().Elem()))
			fill(random, value.Elem(), depth+1)
		}
	case reflect.Slice:
		size := random.Intn(3)
		if depth > 8 || size == 0 {
			return
		}
		value.Set(reflect.MakeSlice(value.Type(), size, size))
		for i := 0; i < size; i++ {
			fill(random, value.Index(i), depth+1)
		}
	case reflect.Map:
		if depth > 8 || random.Intn(3) == 0 {
			return
		}
		value.Set(reflect.MakeMap(value.Type()))
		for _, name := range some(random, "k1", "k2", "k3") {
			inner := reflect.New(value.Type().Elem()).Elem()
			fill(random, inner, depth+1)
			value.SetMapIndex(reflect.ValueOf(name).Convert(value.Type().Key()), inner)
		}
		if value.Len() == 0 {
			value.Set(reflect.Zero(value.Type()))
		}
	case reflect.Struct:
		for i := 0; i < value.NumField(); i++ {
			if value.Type().Field(i).IsExported() {
				fill(random, value.Field(i), depth+1)
			}
		}
	}
}

var groups = []schema.GroupVersion{
	{Version: "v1"}, {Group: "apps", Version: "v1"}, {Group: "batch", Version: "v1"},
	{Group: "autoscaling", Version: "v1"}, {Group: "autoscaling", Version: "v2"}, {Group: "policy", Version: "v1"},
	{Group: "networking.k8s.io", Version: "v1"}, {Group: "rbac.authorization.k8s.io", Version: "v1"},
	{Group: "storage.k8s.io", Version: "v1"}, {Group: "discovery.k8s.io", Version: "v1"},
	{Group: "events.k8s.io", Version: "v1"}, {Group: "coordination.k8s.io", Version: "v1"},
	{Group: "node.k8s.io", Version: "v1"}, {Group: "scheduling.k8s.io", Version: "v1"},
	{Group: "authentication.k8s.io", Version: "v1"}, {Group: "authorization.k8s.io", Version: "v1"},
	{Group: "certificates.k8s.io", Version: "v1"},
}

// forEachKind calls `act` `count` times for every kind of the groups.
func forEachKind(count int, act func(schema.GroupVersionKind)) {
	for _, group := range groups {
		kinds := []string{}
		for kind := range scheme.Scheme.KnownTypes(group) {
			kinds = append(kinds, kind)
		}
		sort.Strings(kinds)
		for _, kind := range kinds {
			for i := 0; i < count; i++ {
				act(group.WithKind(kind))
			}
		}
	}
}

// randomObjects makes `count` objects of every kind that lives in the store.
func randomObjects(random *rand.Rand, count int, act func(text []byte)) {
	forEachKind(count, func(kind schema.GroupVersionKind) {
		made, err := scheme.Scheme.New(kind)
		if err != nil {
			fail("no %v: %v", kind, err)
		}
		if _, isObject := made.(meta.Object); !isObject {
			return
		}
		fill(random, reflect.ValueOf(made).Elem(), 0)
		made.GetObjectKind().SetGroupVersionKind(kind)
		text, err := json.Marshal(made)
		if err != nil {
			fail("cannot encode %v as JSON: %v", kind, err)
		}
		act(text)
	})
}

func protobufCases(random *rand.Rand, count int, emit func(any)) {
	serializer := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	forEachKind(count, func(kind schema.GroupVersionKind) { emitObject(random, serializer, kind, emit) })
}

func emitObject(random *rand.Rand, serializer *protobuf.Serializer, kind schema.GroupVersionKind, emit func(any)) {
	made, err := scheme.Scheme.New(kind)
	if err != nil {
		fail("no %v: %v", kind, err)
	}
	if _, isEvent := made.(*meta.WatchEvent); isEvent {
		return // travels without an envelope
	}
	fill(random, reflect.ValueOf(made).Elem(), 0)
	made.GetObjectKind().SetGroupVersionKind(kind)
	var encoded bytes.Buffer
	if err := serializer.Encode(made, &encoded); err != nil {
		fail("cannot encode %v: %v", kind, err)
	}
	// What a reader of the bytes has: nil and empty are one there.
	read, _, err := serializer.Decode(encoded.Bytes(), nil, nil)
	if err != nil {
		fail("cannot decode %v: %v", kind, err)
	}
	read.GetObjectKind().SetGroupVersionKind(kind)
	encoded.Reset()
	if err := serializer.Encode(read, &encoded); err != nil {
		fail("cannot encode %v: %v", kind, err)
	}
	text, err := json.Marshal(read)
	if err != nil {
		fail("cannot encode %v as JSON: %v", kind, err)
	}
	emit(protobufCase{Object: text, Bytes: encoded.Bytes()})
}
