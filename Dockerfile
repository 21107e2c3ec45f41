# The image has node, the libraries it is linked with, and the bundles: no shell, no package manager, no node_modules. It runs as
# 65532 on a read-only root file system. Its steps are run by test/image.test.ts, without Docker.
#   docker build -t cr-reactor .
#   docker run --rm cr-reactor --help

FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
# Without scripts: nothing that was downloaded runs here except the bundler and the compiler.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build
# /app is the npm package, so that a function in /app/functions can import "cr-reactor".
RUN mkdir -p image/app/dist \
 && cp package.json LICENSE image/app/ \
 && cp dist/*.js dist/THIRD-PARTY-LICENSES.txt image/app/dist/
# Root certificates and time zones are inside node. The libraries keep their paths, whatever the architecture calls them.
RUN mkdir -p image/usr/local/bin image/etc \
 && cp "$(command -v node)" image/usr/local/bin/node \
 && ldd image/usr/local/bin/node | grep -o '/[^ ]*' | xargs -I {} cp --parents --dereference {} image \
 && echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' > image/etc/passwd \
 && echo 'nonroot:x:65532:' > image/etc/group \
 && echo 'hosts: files dns' > image/etc/nsswitch.conf \
 && chmod -R a+rX,go-w image

FROM scratch
COPY --from=build /src/image /
# By glibc's default each thread of V8 keeps free memory of its own: 4 MB of a process that waits.
ENV NODE_ENV=production MALLOC_ARENA_MAX=2
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/usr/local/bin/node", "/app/dist/cr-reactor.js"]
CMD ["--help"]
