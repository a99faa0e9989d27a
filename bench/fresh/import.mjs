/** The time of importing the dependencies, then that of importing the package on top of them. */
const [entry = '', ...dependencies] = process.argv.slice(2);
const bare = await timeOf(dependencies);
const own = await timeOf([entry]);
console.log(JSON.stringify({ bare, own }));

/** @param {readonly string[]} modules */
async function timeOf(modules) {
  const began = performance.now();
  for (const module of modules) await import(module);
  return performance.now() - began;
}
