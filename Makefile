# Short names for the scripts of package.json and for docker compose. `make` without a target lists them.
.DEFAULT_GOAL := help
.PHONY: help install build run demo test test-cover lint fmt bench compose-up compose-down

help: ## lists the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

node_modules: package-lock.json
	npm ci
	@touch node_modules

install: node_modules ## installs what building and testing need

build: node_modules ## builds dist/
	npm run build

run: build ## runs the gateway from dist/
	node bin/majordomo.mjs serve

demo: build ## runs the gateway with sample data, without a key or a network
	node bin/majordomo.mjs serve --demo

test: node_modules ## lints, checks the types, builds and runs the tests
	npm test

test-cover: build ## runs the tests and reports which lines they cover
	npm run test:cover

lint: node_modules ## checks style and types
	npm run lint
	npm run types

fmt: node_modules ## formats the code
	npm run fmt

bench: build ## measures the performance on this machine
	npm run bench

compose-up: ## starts the gateway and PostgreSQL in containers
	docker compose up --detach --build --wait

compose-down: ## stops the containers and keeps the data
	docker compose down
