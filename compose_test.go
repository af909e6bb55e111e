package main

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// TestCompose: the container of compose.yaml is a stage of the Dockerfile, sees the
// home's network, has the one right that it can use, and keeps what it remembers.
func TestCompose(t *testing.T) {
	type build struct {
		Context, Target string
	}
	type service struct {
		Build         build
		Image         string
		ContainerName string `yaml:"container_name"`
		Restart       string
		NetworkMode   string   `yaml:"network_mode"`
		CapDrop       []string `yaml:"cap_drop"`
		CapAdd        []string `yaml:"cap_add"`
		Volumes       []string
		Environment   map[string]string
	}
	var got struct {
		Services map[string]service
		Volumes  map[string]any
	}
	b, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	s := got.Services["thingwarden"]
	environment := s.Environment
	s.Environment = nil
	want := service{
		Build: build{".", "agent"}, Image: "thingwarden:local", ContainerName: "thingwarden", Restart: "unless-stopped",
		NetworkMode: "host", CapDrop: []string{"ALL"}, CapAdd: []string{"NET_RAW"}, Volumes: []string{"thingwarden:/data"},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("service (-want +got):\n%s", diff)
	}
	if _, ok := got.Volumes["thingwarden"]; !ok || len(got.Services) != 1 {
		t.Errorf("want one service with the volume thingwarden, have %d services and the volumes %v", len(got.Services), got.Volumes)
	}
	dockerfile, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`FROM \S+ AS agent`, `VOLUME /data`, `ENV THINGWARDEN_STATE_DIR=/data`} {
		if !regexp.MustCompile(`(?m)^` + line).Match(dockerfile) {
			t.Errorf("the Dockerfile has no line %q", line)
		}
	}
	for name, value := range environment {
		if !slices.Contains([]string{"THINGWARDEN_MQTT_URL", "THINGWARDEN_MQTT_USERNAME", "THINGWARDEN_MQTT_PASSWORD"}, name) || value != "${"+name+":-}" {
			t.Errorf("environment: %s: %s is not passed on as it is", name, value)
		}
	}
}
