# syntax=docker/dockerfile:1

# A release names the image by its digest as well, so that nobody can put another one in its place:
#   docker build --build-arg NODE_IMAGE=node:22-bookworm-slim@sha256:DIGEST .
ARG NODE_IMAGE=node:22-bookworm-slim

# Builds the package as npm would publish it, and unpacks it in /package. It needs only node.
FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build \
 && npm pack --ignore-scripts --silent --pack-destination /tmp \
 && tar -xzf /tmp/majordomo-gateway-*.tgz -C / \
 && chmod 755 /package/bin/majordomo.mjs

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="majordomo-gateway" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /package /app
# Only the user that runs the gateway can access the data directory. The program needs no package manager, and without
# one, nobody who gets into the container can install another program with it.
RUN ln -s /app/bin/majordomo.mjs /usr/local/bin/majordomo-gateway \
 && rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn-* \
    /usr/local/bin/yarn /usr/local/bin/yarnpkg \
 && install -d -o node -g node -m 0700 /var/lib/majordomo \
 && install -d /etc/majordomo
ENV NODE_ENV=production \
    MAJORDOMO_SERVER_HOST=0.0.0.0 \
    MAJORDOMO_SERVER_CREATE_FIRST_KEY=false \
    MAJORDOMO_STORAGE_DATA_DIR=/var/lib/majordomo
WORKDIR /etc/majordomo
# A number, so that Kubernetes can verify that the user is not root.
USER 1000:1000
VOLUME /var/lib/majordomo
EXPOSE 7680
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 \
  CMD ["node", "/app/bin/majordomo.mjs", "health"]
# Neither npx nor a shell, so that SIGTERM reaches the program, which then lets running requests finish.
ENTRYPOINT ["node", "/app/bin/majordomo.mjs"]
CMD ["serve"]
