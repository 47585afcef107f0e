// Each chart is drawn when it comes near to what is seen: so a page with many opens at once.

const near = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    const given = JSON.parse(target.querySelector("script").textContent);
    drivers[target.dataset.driver](target.querySelector(".stage"), given).then(() => { target.dataset.drawn = ""; });
  }
}, { rootMargin: "800px" });

document.querySelectorAll("figure.live").forEach((figure) => {
  figure.querySelector(".stage").hidden = false;
  near.observe(figure);
});
