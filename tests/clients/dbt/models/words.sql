SELECT corpus, SUM(word_count) AS words FROM {{ source('samples', 'shakespeare') }} GROUP BY corpus
