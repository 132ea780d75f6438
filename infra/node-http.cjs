// What stands for `node:http` in the functions' bundles. An ES import of it reads all its getters, one of which loads
// undici: 30 ms of every cold start, for nothing. A function asked for by name is the same one.

module.exports = process.getBuiltinModule('node:http');
