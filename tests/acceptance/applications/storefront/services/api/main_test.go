package main

import "testing"

func TestTheCatalogueOfTheSubmoduleIsRead(t *testing.T) {
	items, err := catalogue("catalogue/items.json")
	if err != nil || len(items) != 2 {
		t.Fatalf("%v %v", items, err)
	}
}
