package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"context"
)

// Item is one thing for sale.
type Item struct {
	Name  string `json:"name"`
	Price int    `json:"price"`
}

func catalogue(path string) ([]Item, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var items []Item
	return items, json.Unmarshal(content, &items)
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/items", func(response http.ResponseWriter, request *http.Request) {
		items, err := catalogue("/catalogue/items.json")
		if err != nil {
			http.Error(response, err.Error(), http.StatusInternalServerError)
			return
		}
		response.Header().Set("Content-Type", "application/json")
		json.NewEncoder(response).Encode(items)
	})
	mux.HandleFunc("/api/healthz", func(response http.ResponseWriter, request *http.Request) {})
	server := &http.Server{Addr: ":9000", Handler: mux}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		server.Shutdown(context.Background())
	}()
	server.ListenAndServe()
}
