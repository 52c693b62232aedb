{# What a path of the server log is, as a short number: 0 a page, 1 a product, 2 a step only people take (search, cart,
   checkout, account), 3 a file beside a page, 4 an interface for programs, 5 robots.txt. Takes the path in lower
   case; a shop with other paths overrides this macro. #}
{% macro request_path_class(path_text) -%}
    case
        when {{ path_text }} = '/robots.txt' then 5
        when {{ text_matches(path_text, '[.](css|js|mjs|map|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|eot|mp4|webm)$') }}
            then 3
        when {{ text_matches(path_text, '^/(api|graphql|rest|ajax|wp-json|services)(/|$)|[.]json$') }} then 4
        when {{ text_matches(path_text, 'cart|basket|checkout|account|login|sign-?in|register|search|wishlist|warenkorb|kasse|konto|suche|merkzettel|thank') }}
            then 2
        when {{ text_matches(path_text, '/(p|dp|product|products|produkt|produkte|item|items|artikel)/.') }} then 1
        else 0
    end
{%- endmacro %}
