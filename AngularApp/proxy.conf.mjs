// `ng serve` answers GET / with the page under development; everything else of the lab goes to the backend.
const backend = { target: 'http://127.0.0.1:3005', changeOrigin: true };

export default {
  '/live': { ...backend, ws: true },
  '/lab': backend,
  '^/$': { ...backend, bypass: (request) => (request.method === 'POST' ? undefined : request.url) },
};
