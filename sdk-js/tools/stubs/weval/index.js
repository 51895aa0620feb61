// Stands in for @bytecodealliance/weval, which downloads a program from outside npm when
// ahead-of-time compilation is asked for. numax does not ask for it.
export default async function getWeval() {
  throw new Error('ahead-of-time compilation of JavaScript is not supported');
}
