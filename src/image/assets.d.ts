/** A file that the build embeds; what is imported is the path to read it by. */
declare module "*.tar.gz" {
  const path: string;
  // biome-ignore lint/style/noDefaultExport: this is how the bundler hands out a file
  export default path;
}
