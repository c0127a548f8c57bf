# Short names for what package.json and docker compose do. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help install build run demo test test-cover lint fmt bench compose-up compose-down

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

node_modules: package-lock.json
	npm ci
	@touch node_modules

install: node_modules ## what building and testing need

build: node_modules ## dist/
	npm run build

run: build ## the gateway, from dist/
	node bin/majordomo.mjs serve

demo: build ## the gateway with samples, without a key or a network
	node bin/majordomo.mjs serve --demo

test: node_modules ## lint, types, build and tests
	npm test

test-cover: build ## the tests, with the lines that they reach
	npm run test:cover

lint: node_modules ## style and types
	npm run lint
	npm run types

fmt: node_modules ## mends the style
	npm run fmt

bench: build ## how fast it is on this machine
	npm run bench

compose-up: ## gateway and PostgreSQL in containers
	docker compose up --detach --build --wait

compose-down: ## stops them; the data stays
	docker compose down
